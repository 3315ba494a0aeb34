"""What the terminal tells of the end of an evaluation or an optimizer run, while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from opentelemetry.instrumentation.dspy.console import outlooks
from opentelemetry.instrumentation.dspy.console.outlooks import Outlook, outlook_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


def span(name: str, **attributes: Any) -> ReadableSpan:
    started: Any = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span(name)
    started.set_attributes({key.replace("__", "."): value for key, value in attributes.items()})
    started.end()
    return started  # type: ignore[no-any-return]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that have gone by; a test moves them on."""
    now = [0.0]
    monkeypatch.setattr(outlooks.time, "monotonic", lambda: now[0])
    return now


def example(cost: float) -> ReadableSpan:
    return span("evaluate_example", dspy__usage__cost=cost)


def begun(name: str, **attributes: Any) -> Outlook:
    found = outlook_of(span(name, **attributes))
    assert found is not None
    # Its own beginning is not the test's.
    found._began = 0.0
    return found


def test_an_evaluation_tells_rate_total_with_spread_and_time_left(clock: list[float]) -> None:
    outlook = begun("evaluate is_right", dspy__evaluate__examples=10)
    assert outlook.words(0.0, 0) == ("", "", "")
    for cost in (0.01, 0.02):
        outlook.take(example(cost))
    clock[0] = 4.0
    assert outlook.words(0.0, 0) == ("$0.450/min", "about $0.150 in all", "16 s left")
    outlook.take(example(0.03))
    clock[0] = 60.0
    assert outlook.words(0.0, 0) == ("$0.0600/min", "about $0.200 in all ($0.0600 to $0.401)", "2m 20s left")


def test_what_is_under_way_costs_what_it_has_cost_at_least(clock: list[float]) -> None:
    outlook = begun("evaluate is_right", dspy__evaluate__examples=6)
    for _ in range(3):
        outlook.take(example(0.01))
    clock[0] = 6.0
    # Two are under way and have cost less than two of those that ended, or more.
    assert outlook.words(0.035, 2) == ("$0.350/min", "about $0.0600 in all ($0.0600 to $0.0600)", "6 s left")
    assert outlook.words(0.090, 2) == ("$0.900/min", "about $0.100 in all ($0.100 to $0.100)", "6 s left")


def test_a_run_tells_by_its_planned_trials_and_its_own_cost_so_far(clock: list[float]) -> None:
    outlook = begun("optimize COPRO", dspy__optimizer__planned_trials=4)
    outlook.take(span("optimize_trial", dspy__usage__cost=0.1, dspy__optimizer__cost=0.15))
    clock[0] = 10.0
    # What was spent beside the trials stays what it is.
    assert outlook.words(0.0, 0) == ("$0.900/min", "about $0.450 in all", "30 s left")


def test_gepa_tells_by_its_metric_calls(clock: list[float]) -> None:
    outlook = begun("optimize GEPA")
    assert outlook.total is None
    calls = {"dspy__optimizer__metric_calls": 10, "dspy__optimizer__metric_calls_remaining": 30}
    outlook.take(span("optimize_trial", dspy__optimizer__cost=0.2, **calls))
    clock[0] = 5.0
    assert outlook.words(0.0, 0) == ("$2.40/min", "about $0.800 in all", "15 s left")


def test_where_nothing_is_paid_the_time_alone_is_told(clock: list[float]) -> None:
    outlook = begun("evaluate is_right", dspy__evaluate__examples=4)
    outlook.take(span("evaluate_example"))
    clock[0] = 3.0
    assert outlook.words(0.0, 0) == ("", "", "9 s left")


def test_other_spans_have_no_outlook() -> None:
    assert outlook_of(span("invoke_workflow Desk")) is None
    assert outlook_of(span("evaluate_example")) is None
