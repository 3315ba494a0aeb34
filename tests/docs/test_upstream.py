"""The page of what could be offered upstream has each of its tests, and each test has a part of the page."""

from __future__ import annotations

import re

from pages import ROOT


def test_every_part_has_its_test() -> None:
    page = (ROOT / "docs" / "upstream.md").read_text(encoding="utf-8")
    parts = page.split("\n## ")[1:]
    named = [re.findall(r"\(\.\./tests/upstream/(\w+\.py)\)", part) for part in parts]
    assert [len(names) for names in named] == [1] * len(parts)
    tests = {path.name for path in (ROOT / "tests" / "upstream").glob("test_*.py")}
    assert {name for names in named for name in names} == tests - {"test_works.py"}


def test_the_tests_know_nothing_of_this_library() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "upstream").glob("*.py")]
    assert len(texts) > 6
    assert [text for text in texts if "opentelemetry.instrumentation" in text or "dspy.cache" in text] == []
