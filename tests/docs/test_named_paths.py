"""A page that names a file of this repository names one that is there."""

from __future__ import annotations

import re

import pytest
from pages import PAGES, ROOT

FOLDERS = "benchmarks|constraints|deploy|docs|examples|release|screens|src|tests"


def missing_in(text: str) -> list[str]:
    """Return the files and folders of this repository that a text names in marks of code, and that are not there."""
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*\w)`", text)
    return [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    assert missing_in((ROOT / page).read_text(encoding="utf-8")) == []


def test_a_file_that_is_not_there_is_noticed() -> None:
    text = "By `tests/test_compose.py`, `tests/test_house.py` and ([`deploy/none`](deploy/none)), see `tests`."
    assert missing_in(text) == ["tests/test_compose.py", "deploy/none"]
