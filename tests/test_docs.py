"""The documents say what the code does."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_table_of_names_is_the_one_that_the_source_gives() -> None:
    generator = runpy.run_path(str(ROOT / "docs" / "generate.py"))

    assert (ROOT / "docs" / "telemetry.md").read_text() == generator["document"]()


def test_the_readme_links_to_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    links = [part.split(")")[0] for part in text.split("](")[1:]]

    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
