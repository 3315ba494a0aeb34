"""Bounds: what is one, and when it is reached."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from opentelemetry.instrumentation.dspy import Usage, usage_scope
from opentelemetry.instrumentation.dspy.budgets.bounds import Bounds

if TYPE_CHECKING:
    from recorded import Recorded

NOTHING = {"cost": 0.0, "tokens": 0, "calls": 0, "unknown_calls": 0}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_cost": -1}, "max_cost= takes zero or more, not -1"),
        ({"max_cost": float("nan")}, "max_cost= takes zero or more, not nan"),
        ({"max_calls": -3}, "max_calls= takes zero or more, not -3"),
        ({"max_cost": float("-inf")}, "max_cost= takes zero or more, not -inf"),
        ({"max_cost": 10**400}, r"max_cost= takes at most 1\.79769e\+308; None is no bound"),
        ({"max_calls": 10**400}, r"max_calls= takes at most 1\.79769e\+308; None is no bound"),
        ({"max_cost": 1, "on_unknown": "count"}, "on_unknown= takes one of count_tokens, refuse, ignore, not 'count'"),
    ],
)
def test_a_wrong_number_is_an_error(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said), usage_scope(**given):
        pass


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_cost": "5"}, "max_cost= takes a number of US dollars, not str"),
        ({"max_tokens": 1.5}, "max_tokens= takes a whole number, not float"),
        ({"max_calls": True}, "max_calls= takes a whole number, not bool"),
    ],
)
def test_a_wrong_type_is_an_error(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said), usage_scope(**given):
        pass


@pytest.mark.parametrize(
    ("bounds", "spent", "reached"),
    [
        (Bounds(max_cost=1.0), {"cost": 0.999}, None),
        (Bounds(max_cost=1.0), {"cost": 1.0}, "max_cost"),
        (Bounds(max_tokens=10), {"tokens": 9}, None),
        (Bounds(max_tokens=10), {"tokens": 10}, "max_tokens"),
        (Bounds(max_calls=2), {"calls": 1}, None),
        (Bounds(max_calls=2), {"calls": 2}, "max_calls"),
        (Bounds(max_cost=1.0, max_calls=2), {"cost": 0.5, "calls": 2}, "max_calls"),
        (Bounds(max_cost=1.0), {"unknown_calls": 4}, None),
        (Bounds(max_cost=1.0, on_unknown="refuse"), {"unknown_calls": 1}, "unknown_price"),
        (Bounds(max_calls=9, on_unknown="refuse"), {"unknown_calls": 1}, "unknown_price"),
        (Bounds(on_unknown="refuse"), {"cost": 9.0, "tokens": 9, "calls": 9}, None),
        (Bounds(max_calls=9, on_unknown="ignore"), {"unknown_calls": 1}, None),
        (Bounds(max_cost=0), {}, "max_cost"),
        (Bounds(max_cost=-0.0), {}, "max_cost"),
        (Bounds(max_cost=math.inf, max_calls=10**300), {"cost": 1e308, "calls": 2**63 - 1}, None),
        (Bounds(), {"cost": 9.0, "tokens": 9, "calls": 9}, None),
    ],
)
def test_a_bound_is_reached_by_the_number_itself(bounds: Bounds, spent: dict[str, Any], reached: str | None) -> None:
    assert bounds.reached(**{**NOTHING, **spent}) == reached


def test_what_is_printed_of_a_block_is_its_sums(telemetry: Recorded) -> None:
    with usage_scope(), usage_scope(max_cost=1) as usage:
        usage.add(Usage(lm_calls=1, cost=0.25), "gpt-4o-mini")
    assert repr(usage) == "BoundedScope(lm_calls=1, cost=0.25)"
