"""What is a count, a price, a number and a name, and that nothing else is."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import given
from odd_values import Odd, Untouchable, hostile_values

from opentelemetry.instrumentation.dspy.language_models.reply_values import (
    MAX_COUNT,
    MAX_PRICE,
    count_of,
    items_of,
    member,
    name_of,
    number_of,
    price_of,
    whole_number_of,
)


@pytest.mark.parametrize(
    ("value", "count"),
    [(0, 0), (12, 12), (12.0, 12), (np.int64(12), 12), (np.uint8(7), 7), (np.float32(3.0), 3), (Decimal(9), 9)],
    ids=repr,
)
def test_a_whole_number_of_any_number_type_is_a_count(value: Any, count: int) -> None:
    found = count_of(value)
    assert (type(found), found) == (int, count)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, np.bool_(True), -1, -0.5, 1.5, math.nan, math.inf, 10**400, 2**63, MAX_COUNT + 1),
        *("12", "", b"12", [12], {"tokens": 12}, Decimal("NaN"), Decimal("1.5"), Decimal("1e1000000"), Fraction(1, 3)),
        *(1j, MagicMock(), MagicMock(spec=int), Untouchable(), np.array([1, 2]), np.float64("inf")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_one_is_no_count(value: Any) -> None:
    assert count_of(value) is None


@pytest.mark.parametrize(
    ("value", "price"),
    [
        *((0, 0.0), (3, 3.0), (0.25, 0.25), ("0.25", 0.25), (" 1e-3 ", 0.001), (np.float32(0.5), 0.5)),
        *((Decimal("0.125"), 0.125), ({"total_cost": 0.5, "input_cost": 0.25}, 0.5), ({"total_cost": "0.5"}, 0.5)),
    ],
    ids=repr,
)
def test_a_finite_amount_is_a_price(value: Any, price: float) -> None:
    found = price_of(value)
    assert (type(found), found) == (float, price)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, -1, -1e-9, math.nan, math.inf, 10**400, MAX_PRICE * 2, Decimal("sNaN"), 1j),
        *("NaN", "inf", "-Infinity", "-3", "", "free", "1" * 400, b"1", [1], {}, {"total_cost": -1}),
        *({"total_cost": {"total_cost": 1}}, MagicMock(), MagicMock(spec=float), Untouchable(), np.float64("nan")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_amount_is_no_price(value: Any) -> None:
    assert price_of(value) is None


class Shouting(str):
    """A text that says another one."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError

    def encode(self, *_: Any, **__: Any) -> bytes:
        raise RuntimeError


def test_a_text_is_a_name_whatever_its_class_does() -> None:
    found = name_of(Shouting("gpt-5"))
    assert (type(found), found) == (str, "gpt-5")
    assert name_of("gpt-\ud800") == "gpt-?"


@pytest.mark.parametrize(
    "value",
    [None, "", 5, b"gpt", ["gpt"], MagicMock(spec=str), Untouchable(), "x" * 5000],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_text_is_no_name(value: Any) -> None:
    assert name_of(value) is None


@given(hostile_values)
def test_no_value_makes_the_question_fail(odd: Odd) -> None:
    value = odd.make()
    number, whole, count, price = number_of(value), whole_number_of(value), count_of(value), price_of(value)
    assert number is None or (type(number) is float and math.isfinite(number))
    assert whole is None or (type(whole) is int and -(2**63) <= whole < 2**63)
    assert count is None or (type(count) is int and 0 <= count <= MAX_COUNT)
    assert price is None or (type(price) is float and 0 <= price <= MAX_PRICE)
    name = name_of(value)
    assert name is None or (type(name) is str and name.encode())
    assert isinstance([*items_of(value)], list)
    member(value, "usage")
