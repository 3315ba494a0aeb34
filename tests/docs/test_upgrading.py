"""A name of an earlier release that is gone, or means something else, stands in the notes on upgrading."""

from __future__ import annotations

import re

import pytest
from generator.released_names import changed_since, current, released
from pages import ROOT

from opentelemetry.instrumentation.dspy import __version__

UPGRADING = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")


def section_of(version: str) -> str:
    """What the page says of going to a version."""
    return re.split(r"^## To ", UPGRADING.partition(f"## To {version}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_page_tells_of_this_version() -> None:
    assert len(section_of(__version__)) > 100


@pytest.mark.parametrize("version", released())
def test_what_has_changed_since_a_release_is_told(version: str) -> None:
    changed = changed_since(released()[version], current())
    assert {name for name in changed if f"`{name.removeprefix('metric ')}" not in UPGRADING} == set()


def test_a_name_that_is_gone_or_different_is_noticed() -> None:
    now = current()
    then = {**now, "dspy.gone": "string", "metric dspy.module.duration": "histogram, ms"}
    assert changed_since(then, now) == {"dspy.gone": "string", "metric dspy.module.duration": "histogram, ms"}
    assert changed_since(released()["0.1.0"], now).keys() >= {"metric dspy.evaluate.score"}
