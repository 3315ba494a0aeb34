"""Providers that raise, or give out nothing or something else: the program runs, and what is left arrives."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import opentelemetry.context
import pytest
from hostile_parts import IdGenerator, Meters
from numbered_calls import NumberedModel
from numbered_desk import NAMES, Desk, assert_the_program_is_as_ever
from opentelemetry.context.context import Context, _RuntimeContext
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Span
from recorded import Recorded

from opentelemetry import trace
from opentelemetry.instrumentation.dspy import (
    BudgetExceededError,
    DSPyInstrumentor,
    span_context_of,
    trace_id_of,
    usage_scope,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.complaints]

SECRET = "what nobody is to read"
CALLS = range(1, 4)
SIGNALS = {"tracer": "spans", "meter": "points", "logger": "log events"}


def raises(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError(SECRET)


ANSWERS: dict[str, Callable[..., Any]] = {
    "raises": raises,
    "gives nothing": lambda *_, **__: None,
    "gives a number": lambda *_, **__: 7,
    "gives a class": lambda *_, **__: int,
}


@pytest.fixture
def instrument(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Recorded]]:
    """Instrument DSPy with providers that record, but for those that a test has in their place."""

    def start(capture: str = "", **options: Any) -> Recorded:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", capture)
        recorded = Recorded()
        DSPyInstrumentor().instrument(**{**recorded.providers, **options})
        return recorded

    dspy.configure(lm=NumberedModel(model="numbered"))
    yield start
    DSPyInstrumentor().uninstrument()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the instrumentation said, which nobody's secret is in."""
    records = [record for record in caplog.records if record.name.startswith("opentelemetry.instrumentation.dspy")]
    assert SECRET not in "".join(map(logging.Formatter().format, records))
    return [record.getMessage() for record in records]


@pytest.mark.parametrize("capture", ["", "SPAN_AND_EVENT"], ids=["no content", "content"])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("part", SIGNALS)
def test_one_costs_its_own_signal_and_is_told_of_once(
    part: str, answer: str, capture: str, instrument: Callable[..., Recorded], caplog: pytest.LogCaptureFixture
) -> None:
    provider = SimpleNamespace(**{f"get_{part}": ANSWERS[answer]})
    recorded = instrument(capture, **{f"{part}_provider": provider})
    assert_the_program_is_as_ever(CALLS)
    [line] = said(caplog)
    assert line.startswith(f"The {part} provider ")
    assert f"DSPy's calls go on without {SIGNALS[part]}." in line
    assert {span.name for span in recorded.spans} == (set() if part == "tracer" else {*NAMES})
    durations = recorded.metric_points("gen_ai.client.operation.duration")
    assert sum(point.count for point in durations) == (0 if part == "meter" else 2 * len(CALLS))
    events = [log.log_record.event_name for log in recorded.logs]
    details = events.count("gen_ai.client.inference.operation.details")
    assert details == (2 * len(CALLS) if capture and part != "logger" else 0)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("kind", ["create_histogram", "create_counter", "create_gauge"])
def test_a_meter_that_makes_no_instruments_costs_their_points_and_is_told_of_once(
    kind: str, answer: str, instrument: Callable[..., Recorded], caplog: pytest.LogCaptureFixture
) -> None:
    recorded = Recorded()
    meter = recorded.meter_provider.get_meter("the application's")
    odd = SimpleNamespace(
        create_histogram=meter.create_histogram, create_counter=meter.create_counter, create_gauge=meter.create_gauge
    )
    setattr(odd, kind, ANSWERS[answer])
    instrument(meter_provider=SimpleNamespace(get_meter=lambda *_, **__: odd))
    assert_the_program_is_as_ever(CALLS)
    [line] = said(caplog)
    assert line.startswith("The meter ")
    assert "DSPy's calls go on without some points." in line
    assert bool(recorded.metric_points("dspy.cache.requests")) is (kind != "create_counter")
    assert bool(recorded.metric_points("dspy.module.duration")) is (kind != "create_histogram")


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_tracer_that_starts_no_span_leaves_each_call_without_one(
    answer: str, instrument: Callable[..., Recorded]
) -> None:
    tracer = SimpleNamespace(start_span=ANSWERS[answer])
    recorded = instrument(tracer_provider=SimpleNamespace(get_tracer=lambda *_, **__: tracer))
    assert_the_program_is_as_ever(CALLS)
    assert sum(point.count for point in recorded.metric_points("dspy.module.duration")) == 2 * len(CALLS)


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_global_provider_that_is_set_later_may_fail_as_well(
    answer: str,
    instrument: Callable[..., Recorded],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    recorded = instrument(tracer_provider=None)
    assert Desk()(question="number 1").answer == "here"
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", SimpleNamespace(get_tracer=ANSWERS[answer]))
    assert_the_program_is_as_ever(CALLS)
    [line] = said(caplog)
    assert line.startswith("The tracer provider ")
    durations = recorded.metric_points("gen_ai.client.operation.duration")
    assert sum(point.count for point in durations) == 1 + 2 * len(CALLS)


class OddSpan(Span):
    """Records until it is told to fail."""

    def __init__(self, method: str) -> None:
        self._method = method

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "_method"):
            return raises
        return object.__getattribute__(self, name)

    def get_span_context(self) -> Any:
        return INVALID_SPAN_CONTEXT

    def is_recording(self) -> bool:
        return True

    def _do_nothing(self, *_: Any, **__: Any) -> None:
        pass

    end = set_attributes = set_attribute = add_event = update_name = set_status = record_exception = _do_nothing


@pytest.mark.parametrize("capture", ["", "SPAN_AND_EVENT"], ids=["no content", "content"])
@pytest.mark.parametrize(
    "method", ["get_span_context", "is_recording", "end", "set_attributes", "set_attribute", "add_event", "set_status"]
)
def test_a_span_that_raises_is_lost_and_its_call_is_counted(
    method: str, capture: str, instrument: Callable[..., Recorded]
) -> None:
    tracer = SimpleNamespace(start_span=lambda *_, **__: OddSpan(method))
    instrument(capture, tracer_provider=SimpleNamespace(get_tracer=lambda *_, **__: tracer))
    assert_the_program_is_as_ever(CALLS)


ODD_IDS = {
    "zero": 0,
    "below zero": -5,
    "too large": 1 << 200,
    "a fraction": 1.5,
    "no number": float("nan"),
    "none": None,
    "a text": "abc",
    "always the same": 42,
}


@pytest.mark.parametrize("kind", ["generate_span_id", "generate_trace_id"])
@pytest.mark.parametrize("drawn", ODD_IDS)
def test_a_generator_of_ids_that_draws_something_else_changes_no_call(
    drawn: str, kind: str, instrument: Callable[..., Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = IdGenerator("", lambda: None)
    monkeypatch.setattr(generator, kind, lambda: ODD_IDS[drawn])
    instrument(
        "SPAN_AND_EVENT",
        tracer_provider=TracerProvider(id_generator=generator, shutdown_on_exit=False),
        openinference=True,
    )
    assert_the_program_is_as_ever(CALLS)
    prediction = Desk()(question="number 1")
    assert len(trace_id_of(prediction) or "0" * 32) >= 32
    span_context_of(prediction)


class BrokenModel(dspy.BaseLM):
    """Answers nothing."""

    def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        raise LookupError("out of order")


class Hook:
    """Counts the operations that it hears of."""

    def __init__(self) -> None:
        self.heard = 0

    def on_completion(self, **_: Any) -> None:
        self.heard += 1


@pytest.mark.parametrize("instruments", ["record", "add"])
def test_a_meter_that_raises_costs_its_points_and_nothing_else(
    instruments: str, instrument: Callable[..., Recorded]
) -> None:
    def told(meters: Any, hook: Hook) -> Any:
        recorded = instrument("SPAN_AND_EVENT", completion_hook=hook, **({"meter_provider": meters} if meters else {}))
        assert_the_program_is_as_ever(CALLS)
        with dspy.context(lm=BrokenModel(model="broken")), pytest.raises(LookupError):
            Desk()(question="number 1")
        DSPyInstrumentor().uninstrument()
        spans = [(span.name, sorted(span.attributes or {}), len(span.events)) for span in recorded.spans]
        events = [log.log_record.event_name for log in recorded.logs]
        return spans, [event for event in events if event != "dspy.prompt"], hook.heard

    expected = told(None, Hook())
    assert told(Meters(instruments, raises), Hook()) == expected
    assert expected[2] > 2 * len(CALLS)
    instrument()  # what the fixture takes out


@pytest.mark.parametrize("instruments", ["record", "add"])
def test_a_call_that_fails_has_its_log_event_beside_a_meter_that_raises(
    instruments: str, instrument: Callable[..., Recorded]
) -> None:
    recorded = instrument(meter_provider=Meters(instruments, raises))
    with dspy.context(lm=BrokenModel(model="broken")), pytest.raises(LookupError):
        Desk()(question="number 1")
    [event] = {record.log_record.event_name for record in recorded.logs}
    assert event == "gen_ai.client.operation.exception"


def test_a_budget_holds_beside_a_meter_that_raises(instrument: Callable[..., Recorded]) -> None:
    meters = Meters("add", raises)
    instrument(meter_provider=meters)

    def ask_all() -> None:
        with usage_scope(max_calls=2):
            for number in CALLS:
                Desk()(question=f"number {number}")

    with pytest.raises(BudgetExceededError):
        ask_all()
    assert meters.reached


class KeptByThreads(_RuntimeContext):
    """A way of its own to keep the Context, as ``OTEL_PYTHON_CONTEXT`` names one, with tokens of its own."""

    def __init__(self) -> None:
        self._kept = threading.local()

    def attach(self, context: Context) -> Any:
        before = self.get_current()
        self._kept.context = context
        return (before,)

    def get_current(self) -> Context:
        return getattr(self._kept, "context", Context())

    def detach(self, token: Any) -> None:
        [self._kept.context] = token


def test_contexts_that_are_kept_in_another_way_are_left_again(
    instrument: Callable[..., Recorded], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(opentelemetry.context, "_RUNTIME_CONTEXT", KeptByThreads())
    recorded = instrument("SPAN_AND_EVENT")
    desk = Desk()
    with usage_scope() as usage:
        assert [desk(question=f"number {number}").answer for number in CALLS] == ["here"] * len(CALLS)
    assert usage.lm_calls == len(CALLS)
    tree = "invoke_workflow Desk\n  Predict answer\n    chat numbered"
    assert recorded.tree() == "\n".join([tree] * len(CALLS))
    assert opentelemetry.context.get_current() == {}
    assert said(caplog) == []
