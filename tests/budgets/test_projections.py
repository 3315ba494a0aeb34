"""What work will have cost in the end, by its parts that are done."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st
from stopped import QUESTIONS

from opentelemetry.instrumentation.dspy import Usage, projections, usage_scope
from opentelemetry.instrumentation.dspy.projections import PartCosts, Progress, project

if TYPE_CHECKING:
    import dspy
    from recorded import Recorded


def costs_of(*costs: float) -> PartCosts:
    found = PartCosts()
    for cost in costs:
        found.add(cost)
    return found


def test_parts_that_cost_the_same_leave_no_doubt() -> None:
    found = project(costs_of(2.0, 2.0, 2.0), 6.0, 7, 3.0)
    assert (found.cost, found.low, found.high) == (20.0, 20.0, 20.0)
    assert (found.spent, found.per_second, found.seconds_left) == (6.0, 2.0, 7.0)


def test_before_the_first_part_nothing_is_known_and_before_the_third_no_spread() -> None:
    nothing = project(costs_of(), 0.5, 10, 2.0)
    assert (nothing.cost, nothing.low, nothing.seconds_left, nothing.per_second) == (None, None, None, 0.25)
    two = project(costs_of(1.0, 2.0), 3.0, 2, 2.0)
    assert (two.cost, two.low, two.high) == (6.0, None, None)


def test_nothing_is_expected_below_what_is_spent() -> None:
    found = project(costs_of(0.0, 0.0, 9.0), 9.0, 100, 1.0)
    assert found.low == 9.0
    assert found.high is not None
    assert found.high > 309.0


@given(st.lists(st.floats(0.01, 10), min_size=3, max_size=30), st.integers(0, 1000))
def test_the_expected_total_is_what_is_spent_and_the_mean_of_what_is_left(costs: list[float], left: int) -> None:
    found = project(costs_of(*costs), sum(costs), left, 1.0)
    assert found.cost == pytest.approx(sum(costs) * (1 + left / len(costs)))
    assert found.low is not None
    assert found.high is not None
    assert found.spent <= found.low <= found.cost <= found.high


@pytest.mark.parametrize("known", [4, 30])
def test_the_total_lies_within_the_spread_about_nineteen_times_in_twenty(known: int) -> None:
    draw = random.Random(7)
    within = 0
    for _ in range(1000):
        parts = [draw.gauss(1.0, 0.2) for _ in range(120)]
        found = project(costs_of(*parts[:known]), sum(parts[:known]), 120 - known, 1.0)
        assert found.low is not None
        assert found.high is not None
        within += found.low <= sum(parts) <= found.high
    assert 930 <= within <= 970


def test_groups_of_parts_tell_of_the_spread_of_single_ones() -> None:
    draw = random.Random(3)
    single, grouped = PartCosts(), PartCosts()
    for _ in range(200):
        group = [draw.gauss(1.0, 0.2) for _ in range(5)]
        grouped.add(sum(group), 5)
        for part in group:
            single.add(part)
    of_single, of_grouped = single.spread(1000), grouped.spread(1000)
    assert of_single is not None
    assert of_grouped == pytest.approx(of_single, rel=0.15)


def test_a_scope_is_asked_while_the_work_goes_on(telemetry: Recorded, lm: dspy.LM) -> None:
    with usage_scope() as usage:
        assert usage.projected(0, 10).cost is None
        for done, question in enumerate(QUESTIONS[:10], 1):
            Desk()(question=question)
            found = usage.projected(done, 10)
            assert found.spent == usage.cost
        assert found.cost == pytest.approx(usage.cost)
        assert (found.low, found.high) == (pytest.approx(usage.cost), pytest.approx(usage.cost))
        assert found.seconds_left == 0.0
        assert found.per_second > 0
        half = usage.projected(10, 20)
    assert half.cost == pytest.approx(2 * usage.cost)
    assert half.low is not None
    assert half.low < half.cost < (half.high or 0.0)


def test_each_work_of_a_block_is_told_by_its_own_parts(telemetry: Recorded) -> None:
    with usage_scope() as usage:
        for done in range(1, 11):
            usage.add(Usage(lm_calls=1, cost=4.0), "dear")
            usage.projected(done, 10)
        for done in range(1, 7):
            usage.add(Usage(lm_calls=1, cost=1.0), "cheap")
            found = usage.projected(done, 20)
            assert found.cost == 40.0 + 20.0
    assert (found.low, found.high, found.spent) == (60.0, 60.0, 46.0)


def test_the_rate_and_the_time_left_are_those_of_the_work_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(projections.time, "monotonic", lambda: now[0])
    progress = Progress()
    for done in (1, 2):
        now[0] += 50.0
        progress.project(10.0 * done, done, 2)
    now[0] += 2.0
    found = progress.project(21.0, 1, 4)
    assert (found.cost, found.per_second, found.seconds_left) == (24.0, 0.5, 6.0)


def test_a_thread_that_asks_a_little_late_begins_nothing_anew(telemetry: Recorded) -> None:
    with usage_scope() as usage:
        for done, asked in enumerate([1, 2, 3, 5, 4, 6], 1):
            usage.add(Usage(lm_calls=1, cost=1.0), "gpt-4o-mini")
            found = usage.projected(asked, 10)
            assert found.spent == done
    assert found.cost == 10.0


def test_what_is_no_progress_is_an_error(telemetry: Recorded) -> None:
    with usage_scope() as usage, pytest.raises(ValueError, match="0 <= done <= total"):
        usage.projected(3, 2)


@pytest.mark.parametrize(
    ("done", "total", "error", "said"),
    [
        (-1, 3, ValueError, "not done=-1 and total=3"),
        (4, 3, ValueError, "not done=4 and total=3"),
        (float("nan"), 3, ValueError, "not done=nan"),
        (1, float("inf"), ValueError, "and total=inf"),
        (1, 2**63, ValueError, "and total=9223372036854775808"),
        (1, 10**400, ValueError, "and total=1000"),
        ("1", 3, TypeError, "done is of the type str"),
        (1, None, TypeError, "total is of the type NoneType"),
    ],
)
def test_what_are_no_parts_is_an_error_and_is_not_kept(
    done: Any, total: Any, error: type[Exception], said: str
) -> None:
    with usage_scope() as usage:
        with pytest.raises(error, match=said):
            usage.projected(done, total)
        assert usage.projected(0, 3).cost is None
        assert usage.projected(1, 2**63 - 1).cost == 0.0
