"""Live totals: what is added in whatever thread is in every total around it, exactly."""

from __future__ import annotations

import math
import sys
import threading
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opentelemetry.instrumentation.dspy.usage import MAX_MODELS, OTHER_MODELS, UsageScope
from opentelemetry.instrumentation.dspy.usage_attributes import usage_attributes
from opentelemetry.instrumentation.dspy.usage_sums import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

counts = st.integers(0, 10**9)
# Quarters add up exactly, in whatever order.
prices = st.integers(0, 10**6).map(lambda quarters: quarters / 4)
usages = st.builds(Usage, counts, counts, counts, prices, counts, counts, prices, counts, counts)


class Interruptible(int):
    """A one in the middle of whose addition another thread may come to run."""

    def __radd__(self, other: int) -> int:
        for _ in range(20):
            pass
        return other + 1


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that give way to each other all the time."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def sum_of(usages_: Iterable[Usage]) -> Usage:
    total = Usage()
    for usage in usages_:
        total.add(usage)
    return total


def numbers(scope: UsageScope) -> tuple[float, ...]:
    return (
        scope.lm_calls,
        scope.input_tokens,
        scope.output_tokens,
        scope.cost,
        scope.cost_unknown_calls,
        scope.cache_hits,
        scope.saved_cost,
        scope.embedding_calls,
        scope.embedding_tokens,
    )


@given(st.lists(usages))
def test_a_sum_has_every_number_of_its_parts(parts: list[Usage]) -> None:
    assert astuple(sum_of(parts)) == tuple(sum(column) for column in zip(*map(astuple, [Usage(), *parts]), strict=True))


def test_a_copy_stays_as_it_is() -> None:
    usage = Usage(lm_calls=1, cost=0.5)
    copied = usage.copy()
    usage.add(Usage(lm_calls=1, cost=0.5))
    assert copied == Usage(lm_calls=1, cost=0.5)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["small", "large"]), usages)))
def test_every_scope_has_what_was_added_in_it_and_inside_of_it(calls: list[tuple[int, str, Usage]]) -> None:
    outer = UsageScope()
    left, right = UsageScope(outer), UsageScope(outer)
    scopes = [outer, left, right, UsageScope(left)]
    inside = {0: {0, 1, 2, 3}, 1: {1, 3}, 2: {2}, 3: {3}}
    for place, model, usage in calls:
        scopes[place].add(usage, model)
    for place, scope in enumerate(scopes):
        mine = [(model, usage) for where, model, usage in calls if where in inside[place]]
        assert scope.total() == sum_of(usage for _, usage in mine)
        assert numbers(scope) == astuple(scope.total())
        assert scope.by_model == {
            model: sum_of(usage for name, usage in mine if name == model) for model in {name for name, _ in mine}
        }


@pytest.mark.usefixtures("eager_threads")
def test_no_call_is_lost_between_threads() -> None:
    outer = UsageScope()
    inner = [UsageScope(outer) for _ in range(8)]
    start = threading.Barrier(8)

    def add_calls(scope: UsageScope) -> None:
        start.wait()
        for number in range(2000):
            scope.add(Usage(Interruptible(1), 2, 3, 0.25, 0, 1, 0.5), f"model-{number % 3}")
            assert scope.total().lm_calls == number + 1

    threads = [threading.Thread(target=add_calls, args=(scope,)) for scope in inner]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outer.total() == Usage(16000, 32000, 48000, 4000.0, 0, 16000, 8000.0)
    assert sum_of(outer.by_model.values()) == outer.total()
    assert [scope.lm_calls for scope in inner] == [2000] * 8


@pytest.mark.usefixtures("eager_threads")
def test_a_total_is_taken_at_one_moment() -> None:
    scope = UsageScope()
    done = threading.Event()

    def add_calls() -> None:
        while not done.is_set():
            scope.add(Usage(1, 1, Interruptible(1), 0.25, 1, 1, 0.25), "model")

    thread = threading.Thread(target=add_calls)
    thread.start()
    try:
        for _ in range(2000):
            total = scope.total()
            assert len({total.lm_calls, total.input_tokens, total.output_tokens, total.cost * 4}) == 1
            assert sum_of(scope.by_model.values()).lm_calls >= total.lm_calls
    finally:
        done.set()
        thread.join()


def test_the_models_of_a_scope_are_bounded_and_none_is_lost() -> None:
    scope = UsageScope()
    for number in range(MAX_MODELS + 50):
        scope.add(Usage(lm_calls=1), f"model-{number}")
        scope.add(Usage(lm_calls=1), "model-0")
    assert len(scope.by_model) == MAX_MODELS + 1
    assert scope.by_model[OTHER_MODELS] == Usage(lm_calls=50)
    assert scope.by_model["model-0"] == Usage(lm_calls=MAX_MODELS + 51)
    assert sum_of(scope.by_model.values()) == scope.total()


def test_what_is_read_of_a_scope_does_not_change_it() -> None:
    scope = UsageScope()
    scope.add(Usage(lm_calls=1), "model")
    scope.by_model["model"].add(Usage(lm_calls=5))
    scope.total().add(Usage(lm_calls=5))
    assert (scope.lm_calls, scope.by_model["model"].lm_calls) == (1, 1)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(), {}),
        (
            Usage(lm_calls=2, input_tokens=30, output_tokens=4, cost=0.5),
            {"lm_calls": 2, "input_tokens": 30, "output_tokens": 4, "cost": 0.5},
        ),
        (
            Usage(lm_calls=2, cost=0.5, cost_unknown_calls=1),
            {"lm_calls": 2, "cost": 0.5, "cost_unknown_calls": 1},
        ),
        (
            Usage(lm_calls=2, input_tokens=30, cost_unknown_calls=2),
            {"lm_calls": 2, "input_tokens": 30, "cost_unknown_calls": 2},
        ),
        (
            Usage(embedding_calls=1, embedding_tokens=9, cost=0.25),
            {"lm_calls": 0, "embedding_calls": 1, "embedding_tokens": 9, "cost": 0.25},
        ),
        (
            Usage(embedding_calls=1, embedding_tokens=9, cost_unknown_calls=1),
            {"lm_calls": 0, "embedding_calls": 1, "embedding_tokens": 9, "cost_unknown_calls": 1},
        ),
        (
            Usage(embedding_calls=1, embedding_tokens=9),
            {"lm_calls": 0, "embedding_calls": 1, "embedding_tokens": 9, "cost": 0.0},
        ),
        (Usage(embedding_calls=1), {"lm_calls": 0, "embedding_calls": 1}),
        (
            Usage(lm_calls=1, cache_hits=1, embedding_calls=1),
            {"lm_calls": 1, "cache_hits": 1, "embedding_calls": 1, "cost": 0.0},
        ),
    ],
    ids=[
        *("no calls", "all priced", "one without a price", "none with a price"),
        *("embedded", "embedded without a price", "embedded for nothing", "embedded by a function", "hit and function"),
    ],
)
def test_the_roll_up_has_no_cost_where_no_price_is_known(usage: Usage, expected: dict[str, float]) -> None:
    scope = UsageScope()
    if usage.is_used:
        scope.add(usage, "model")
    assert usage_attributes(scope) == {f"dspy.usage.{name}": value for name, value in expected.items()}


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, -1.0, True, "1", None, 10**400, 1j])
def test_what_is_no_amount_adds_nothing(amount: Any) -> None:
    scope = UsageScope(UsageScope())
    for _ in range(2):
        scope.add(Usage(1, amount, 5, amount, 0, 0, 0.25, 1, amount), "model")
        scope.add(Usage(1, 5, amount, 0.5, amount, amount, amount, amount, 7), "model")
    assert scope.parent is not None
    assert scope.total() == scope.parent.total() == scope.by_model["model"] == Usage(4, 10, 10, 1.0, 0, 0, 0.5, 2, 14)
    assert type(scope.cost) is float
    total = Usage(cost=1.0)
    total.add(Usage(cost=amount, input_tokens=amount))
    assert total == Usage(cost=1.0)


@given(st.lists(st.tuples(st.integers(), st.floats() | st.integers(10**300, 10**310))))
def test_sums_stay_within_what_otlp_can_carry(added: list[tuple[int, float]]) -> None:
    scope = UsageScope()
    for count, amount in added:
        scope.add(Usage(count, count, count, amount, count, count, amount, count, count), "model")
    for total in (scope.total(), scope.by_model.get("model", Usage())):
        counted = (total.lm_calls, total.input_tokens, total.cache_hits, total.embedding_calls, total.embedding_tokens)
        assert all(0 <= number < 2**63 for number in counted)
        assert all(math.isfinite(number) and number >= 0 for number in (total.cost, total.saved_cost))


def test_a_sum_ends_at_the_largest_number() -> None:
    scope = UsageScope()
    for _ in range(3):
        scope.add(Usage(input_tokens=2**62, cost=1.5e308), "model")
    assert (scope.input_tokens, scope.cost) == (2**63 - 1, sys.float_info.max)


def test_what_is_printed_of_a_total_is_its_sums() -> None:
    scope = UsageScope()
    assert repr(scope) == "UsageScope()"
    scope.add(Usage(lm_calls=1, input_tokens=12, cost=0.25), "model")
    assert repr(scope) == "UsageScope(lm_calls=1, input_tokens=12, cost=0.25)"
