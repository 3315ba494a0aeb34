"""The site: it builds without a warning, every page is in the navigation, and nothing is asked of another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def build(folder: Path, configuration: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        [*command, "--config-file", str(configuration)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(folder)
    assert built.returncode == 0, built.stderr
    return folder


class Loaded(HTMLParser):
    """What a browser loads with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") in ("canonical", "next", "prev"):
            return
        address = given.get("href") if tag == "link" else given.get("src")
        if address:
            self.addresses.append(address)


def pages_of(site: Path) -> list[Path]:
    return [path for path in site.rglob("*.html") if path.name != "404.html"]


def test_a_page_loads_nothing_from_another_host(site: Path) -> None:
    foreign = []
    for page in pages_of(site):
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.addresses
        foreign += [(page.name, address) for address in loaded.addresses if "//" in address]
    assert foreign == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(['\"]?(?:https?:)?//[^)]*|@import[^;]*", styles) == []


def test_every_page_is_reached_from_the_first_one(site: Path) -> None:
    waiting, reached = [site / "index.html"], set()
    while waiting:
        page = waiting.pop()
        if page in reached or not page.is_file():
            continue
        reached.add(page)
        links = re.findall(r'<a[^>]+href="([^"#:]+\.html)', page.read_text(encoding="utf-8"))
        waiting += [(page.parent / address).resolve() for address in links]
    assert {page.resolve() for page in pages_of(site)} - reached == set()


def test_every_recipe_is_in_the_list_of_recipes(site: Path) -> None:
    recipes = ROOT / "docs" / "recipes"
    index = (recipes / "index.md").read_text(encoding="utf-8")
    there = {path.relative_to(recipes).as_posix() for path in recipes.rglob("*.md")} - {"index.md"}
    assert there - {*re.findall(r"\]\(([\w/-]+\.md)\)", index)} == set()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[gone](gone.md)", "'gone.md', but the target is not found"),
        ("[nowhere](index.md#nowhere)", "'index.md#nowhere', but there is no such anchor"),
        ('```python\n--8<-- "examples/gone.py"\n```', "Snippet at path 'examples/gone.py' could not be found"),
    ],
)
def test_what_leads_nowhere_is_an_error(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Home\n\n{text}\n")
    configuration = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    configuration = configuration.replace("docs/site_hooks.py", str(ROOT / "docs" / "site_hooks.py"))
    (tmp_path / "mkdocs.yml").write_text(configuration)
    built = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert built.returncode != 0
    assert complaint in built.stdout + built.stderr


def test_every_link_of_the_readme_leads_to_a_file_and_a_heading_in_it() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link.partition("#")[0]).exists()] == []
