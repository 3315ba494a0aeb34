"""The mapping from objects to values that keeps no object alive."""

from __future__ import annotations

import gc
from typing import Any

import dspy
from hypothesis import given
from hypothesis import strategies as st

from opentelemetry.instrumentation.dspy.weak import WeakIdentityMap


class Equal:
    """Equal to everything, and so not hashable: as DSPy's predictions and modules may be."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_objects_that_are_equal_have_values_of_their_own() -> None:
    values: WeakIdentityMap[str] = WeakIdentityMap()
    first, second = Equal(), Equal()
    values.set(first, "first")
    values.set(second, "second")
    assert (values.get(first), values.get(second), values.get(Equal())) == ("first", "second", None)


def test_a_value_can_be_replaced() -> None:
    values: WeakIdentityMap[str] = WeakIdentityMap()
    key = Equal()
    values.set(key, "first")
    values.set(key, "second")
    assert (values.get(key), len(values)) == ("second", 1)


def test_an_entry_goes_with_its_object() -> None:
    values: WeakIdentityMap[str] = WeakIdentityMap()
    key = dspy.Prediction(answer="yes")
    values.set(key, "value")
    assert len(values) == 1
    del key
    gc.collect()
    assert len(values) == 0


def test_what_cannot_be_referenced_weakly_is_not_kept() -> None:
    values: WeakIdentityMap[str] = WeakIdentityMap()
    for key in ("text", 7, [1], None, (1, 2)):
        values.set(key, "value")
        assert values.get(key) is None
    assert len(values) == 0


@given(st.lists(st.tuples(st.sampled_from(["set", "drop"]), st.integers(0, 5))))
def test_it_holds_exactly_the_living_objects_whatever_the_order(steps: list[tuple[str, int]]) -> None:
    values: WeakIdentityMap[int] = WeakIdentityMap()
    living: dict[int, Any] = {}
    for number, (step, key) in enumerate(steps):
        if step == "set":
            living[key] = (living.setdefault(key, (Equal(), 0))[0], number)
            values.set(living[key][0], number)
        else:
            # The next object may well come into being at the same address.
            living.pop(key, None)
        assert len(values) == len(living)
        assert [values.get(instance) for instance, _ in living.values()] == [value for _, value in living.values()]
