"""Bounds for what a test may use: what keeps them, what breaks them, and what nobody can say."""

from __future__ import annotations

from typing import Any

import pytest

from opentelemetry.instrumentation.dspy.testing import Bounds
from opentelemetry.instrumentation.dspy.usage_sums import Usage


def test_exactly_what_is_allowed_is_allowed() -> None:
    used = Usage(lm_calls=3, input_tokens=90, output_tokens=10, cost=0.01)
    assert Bounds(lm_calls=3, cost=0.01, tokens=100).excesses(used, 0, []) == []


def test_sums_of_floats_do_not_break_a_bound_that_their_prices_keep() -> None:
    used = Usage(lm_calls=10, cost=sum([0.001] * 10) + 1e-17)
    assert sum([0.1] * 3) > 0.3
    assert Bounds(cost=0.3).excesses(Usage(cost=sum([0.1] * 3)), 0, []) == []
    assert Bounds(cost=0.01).excesses(used, 0, []) == []


def test_each_bound_that_is_broken_is_told() -> None:
    used = Usage(lm_calls=4, input_tokens=90, output_tokens=11, cost=0.0123, cache_hits=1)
    assert Bounds(lm_calls=3, cost=0.01, tokens=100).excesses(used, 0, []) == [
        "4 LM calls (1 from the cache), at most 3 allowed.",
        "$0.0123 spent, at most $0.0100 allowed.",
        "101 tokens used, at most 100 allowed.",
    ]


def test_a_price_that_is_not_known_keeps_no_bound() -> None:
    used = Usage(lm_calls=2, cost=0.001, cost_unknown_calls=1)
    [sentence] = Bounds(cost=5).excesses(used, 0, ["my-model"])
    assert sentence == (
        "The price of 1 LM call (my-model) is not known, so nobody can say that at most $5.00 was spent. "
        "Bound lm_calls or tokens where a model has no price."
    )
    assert Bounds(lm_calls=2, tokens=0).excesses(used, 0, ["my-model"]) == []


def test_a_call_that_runs_is_a_call_and_keeps_no_other_bound() -> None:
    used = Usage(lm_calls=1, cost=0.001)
    assert Bounds(lm_calls=2).excesses(used, 1, []) == []
    assert Bounds(lm_calls=1).excesses(used, 1, []) == ["2 LM calls, at most 1 allowed."]
    not_ended = "1 LM call has not ended: what is used is not known yet."
    assert Bounds(cost=1).excesses(used, 1, []) == [not_ended]
    assert Bounds(tokens=1).excesses(used, 1, []) == [not_ended]


@pytest.mark.parametrize(
    ("bounds", "complaint"),
    [
        ({}, "At least one bound is needed: lm_calls, cost, tokens."),
        ({"lm_calls": -1}, "lm_calls= takes a whole number from zero up, not -1."),
        ({"cost": float("nan")}, "cost= takes an amount in US dollars from zero up, not nan."),
        ({"cost": float("inf")}, "cost= takes an amount in US dollars from zero up, not inf."),
    ],
)
def test_what_bounds_nothing_is_refused(bounds: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole text is compared
        Bounds(**bounds)
    assert str(raised.value) == complaint


@pytest.mark.parametrize(
    ("bounds", "complaint"),
    [
        ({"lm_calls": 1.5}, "lm_calls= takes a whole number, not float."),
        ({"tokens": True}, "tokens= takes a whole number, not bool."),
        ({"cost": "0.01"}, "cost= takes an amount in US dollars, not str."),
    ],
)
def test_what_is_no_number_is_refused(bounds: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TypeError) as raised:
        Bounds(**bounds)
    assert str(raised.value) == complaint
