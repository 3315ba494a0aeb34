"""What the pages show is what is tested: they take their programs in from the files that the tests run."""

from __future__ import annotations

import re

from recipes.running import RECIPES, ROOT

PAGES = ROOT / "docs" / "recipes"
LONGEST = 90
LONGER = {"notebooks.md": 110, "pytest.md": 130}
"""Pages of more than one way to use something."""
"""Lines, without the programs: one and a half screens."""


def included() -> list[str]:
    return [name for page in PAGES.glob("*.md") for name in re.findall(r'--8<-- "([^"]+)"', page.read_text("utf-8"))]


def test_every_program_stands_on_one_page() -> None:
    # Tests are pytest's to run, and their page includes them in its own words.
    programs = [str(path.relative_to(ROOT)) for path in RECIPES.glob("*.py") if not path.name.startswith("test_")]

    assert len(programs) > 10
    assert sorted(name for name in included() if name.startswith("examples/recipes/")) == sorted(programs)


def test_no_program_hides_a_package_that_it_stands_in_front_of() -> None:
    # Python looks in the folder of a program first: a fastapi.py there would be FastAPI.
    from importlib.util import find_spec

    hidden = []
    for path in RECIPES.glob("*.py"):
        spec = find_spec(path.stem)
        # A folder without __init__.py, as examples/feedback, is no package that anybody meant.
        if spec is not None and spec.origin not in (None, str(path)):
            hidden.append(path.stem)
    assert hidden == []


def test_pages_are_read_in_a_minute() -> None:
    lengths = {page.name: len(page.read_text("utf-8").splitlines()) for page in PAGES.glob("*.md")}
    assert {name: length for name, length in lengths.items() if length > LONGER.get(name, LONGEST)} == {}
