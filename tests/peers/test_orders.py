"""In whatever order the instrumentations of DSPy are switched on and off, ours counts once and leaves nothing behind.

The others do leave something of theirs in DSPy, alone as well: what is compared is DSPy after the same order without
ours. Where two are not undone in the reverse order, the others unwrap what they find on top, which is ours, and leave
their own. OpenInference goes down to DSPy's own functions, through ours as well.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from orders import OURS, after, all_orders, without_ours

CLEANED = ((OURS, True), (OURS, False))
"""What is below a wrapper of somebody else when ours is switched off goes the next time that it is."""

ORDERS = [*dict.fromkeys(all_orders(OURS, "openinference", "genai"))]

after_once = cache(after)


def name_of(steps: Any) -> str:
    return " ".join(f"{name} {'on' if is_on else 'off'}," for name, is_on in steps).rstrip(",")


def is_nested(steps: Any) -> bool:
    """Whether each is switched off before all that were switched on earlier."""
    on: list[str] = []
    for name, is_on in steps:
        if is_on:
            on.append(name)
        elif on.pop() != name:
            return False
    return True


def test_every_order_is_there() -> None:
    assert len(ORDERS) == 90


def test_ours_alone_leaves_nothing() -> None:
    found = after(CLEANED)
    assert found["changed"] == []
    assert found["durations"] == [1]


@pytest.mark.parametrize("steps", ORDERS, ids=name_of)
def test_an_order(steps: Any) -> None:
    found = after((*steps, *CLEANED))
    assert "error" not in found, found["error"]
    assert found["answers"] == ["here"] * (len(steps) + 2)
    assert found["with ours inside"] == []
    if is_nested(steps):
        assert found["changed"] == after_once(without_ours(steps))["changed"]

    stripped = False
    for (name, is_on), recorded in zip(steps, found["recorded"], strict=False):
        if name == OURS:
            stripped = False
        if name == "openinference" and not is_on:
            stripped = recorded["ours is on"]
        if not recorded["ours is on"]:
            assert (recorded["calls"], recorded["spans"]) == (0, [])
        elif stripped:
            assert recorded["calls"] <= 1
            assert recorded["spans"].count("chat dummy") <= 1
        else:
            assert (recorded["calls"], recorded["spans"]) == (1, ["Predict question -> answer", "chat dummy"])
    assert found["durations"] == [sum(recorded["calls"] for recorded in found["recorded"])]
