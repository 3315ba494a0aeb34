"""Whatever part of an SDK raises, waits or is shut down: the program has its results, and its usage is counted."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from hostile_parts import (
    Exporter,
    IdGenerator,
    LogExporter,
    Loggers,
    LogProcessor,
    Meters,
    Part,
    Processor,
    Sampling,
    StrangeError,
)
from numbered_calls import NumberedModel
from numbered_desk import Desk, assert_all_is_told_once, assert_the_program_is_as_ever
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from recorded import Recorded

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, log_events, usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.sdk.trace.sampling import Sampler

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.complaints]

PLACES: dict[str, tuple[type[Part], str]] = {
    "a processor at the start": (Processor, "on_start"),
    "a processor at the end": (Processor, "on_end"),
    "a sampler": (Sampling, "should_sample"),
    "a generator of span ids": (IdGenerator, "generate_span_id"),
    "a generator of trace ids": (IdGenerator, "generate_trace_id"),
    "an exporter": (Exporter, "export"),
    "a histogram": (Meters, "record"),
    "a counter": (Meters, "add"),
    "a processor of logs": (LogProcessor, "on_emit"),
    "an exporter of logs": (LogExporter, "export"),
    "a logger": (Loggers, "emit"),
}
ONE_AT_A_TIME = (Exporter, LogExporter)
"""The SDK's own processors: while they hand one span or record to an exporter they hold a lock."""

SECRET = "what nobody is to read"
CAPTURES = {"no content": "", "content": "SPAN_AND_EVENT"}


def options_of(part: Any) -> dict[str, Any]:
    """The options of ``instrument`` with the part in its place."""
    sampler = part if isinstance(part, Sampling) else None
    generator = part if isinstance(part, IdGenerator) else None
    tracers = TracerProvider(sampler=sampler, id_generator=generator, shutdown_on_exit=False)
    if isinstance(part, Processor):
        tracers.add_span_processor(part)
    if isinstance(part, Exporter):
        tracers.add_span_processor(SimpleSpanProcessor(part))
    meters = part if isinstance(part, Meters) else MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    loggers = part if isinstance(part, Loggers) else LoggerProvider(shutdown_on_exit=False)
    if isinstance(part, LogProcessor):
        loggers.add_log_record_processor(part)
    if isinstance(part, LogExporter):
        loggers.add_log_record_processor(SimpleLogRecordProcessor(part))
    return {"tracer_provider": tracers, "meter_provider": meters, "logger_provider": loggers}


def are_asked(place: str, capture: str) -> bool:
    """Whether the part is reached: there are no log events without content as long as nothing fails."""
    return bool(CAPTURES[capture]) or not issubclass(PLACES[place][0], (LogProcessor, LogExporter, Loggers))


@pytest.fixture
def instrument(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Instrument DSPy with parts of one's own, and take it out again."""

    def start(capture: str, **options: Any) -> None:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", capture)
        DSPyInstrumentor().instrument(**options)

    dspy.configure(lm=NumberedModel(model="numbered"))
    yield start
    DSPyInstrumentor().uninstrument()


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("error", [ZeroDivisionError, StrangeError, StopIteration, StopAsyncIteration, RecursionError])
@pytest.mark.parametrize("place", PLACES)
def test_one_that_raises(instrument: Callable[..., None], place: str, error: type[Exception], capture: str) -> None:
    def attack() -> None:
        raise error

    kind, method = PLACES[place]
    part = kind(method, attack)
    instrument(CAPTURES[capture], **options_of(part))
    assert_the_program_is_as_ever(range(1, 6))
    assert bool(part.reached) is are_asked(place, capture)


@pytest.mark.parametrize("place", PLACES)
def test_one_that_hangs_in_a_thread_keeps_no_other_from_its_calls(instrument: Callable[..., None], place: str) -> None:
    hanging, release = threading.Event(), threading.Event()

    def attack() -> None:
        if threading.current_thread().name.startswith("hanging"):
            hanging.set()
            release.wait()

    kind, method = PLACES[place]
    instrument("SPAN_AND_EVENT", **options_of(kind(method, attack)))
    desk = Desk()
    with ThreadPoolExecutor(1, "hanging") as pool:
        try:
            late = pool.submit(desk, question="number 1")
            assert hanging.wait(30)
            if kind in ONE_AT_A_TIME:
                release.set()
            assert_the_program_is_as_ever(range(1, 4))
        finally:
            release.set()
        assert late.result().answer == "here"


def test_an_exporter_that_hangs_behind_a_queue_is_not_waited_for(instrument: Callable[..., None]) -> None:
    hanging, release = threading.Event(), threading.Event()

    def attack() -> None:
        hanging.set()
        release.wait()

    exporter = Exporter("export", attack)
    tracers = TracerProvider(shutdown_on_exit=False)
    queue = BatchSpanProcessor(exporter, max_queue_size=8, max_export_batch_size=4, schedule_delay_millis=1)
    tracers.add_span_processor(queue)
    instrument("SPAN_ONLY", tracer_provider=tracers)
    try:
        Desk()(question="number 1")
        Desk()(question="number 2")
        assert hanging.wait(30)
        # Twenty times what the queue holds.
        assert_the_program_is_as_ever(range(1, 30))
    finally:
        release.set()
        tracers.shutdown()
    assert exporter.names


@pytest.mark.parametrize("capture", CAPTURES)
def test_providers_that_are_shut_down_under_way(instrument: Callable[..., None], capture: str) -> None:
    options = options_of(None)
    instrument(CAPTURES[capture], **options)
    assert_the_program_is_as_ever(range(1, 3))

    class Closing(dspy.Module):
        def forward(self) -> Any:
            for provider in options.values():
                provider.shutdown()
            return Desk()(question="number 1")

    assert Closing()().answer == "here"
    assert_the_program_is_as_ever(range(1, 3))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(assert_the_program_is_as_ever, range(1, 3)).result()


class BrokenModel(dspy.BaseLM):
    """Answers nothing."""

    def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
        raise LookupError("out of order")


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF], ids=["sampled", "not sampled"])
@pytest.mark.parametrize("method", ["emit", "enabled"])
def test_a_log_event_that_is_not_taken_is_lost_alone_and_told_of_once(
    instrument: Callable[..., None],
    method: str,
    sampler: Sampler,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def attack() -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(log_events, "_told", set())
    loggers, recorded = Loggers(method, attack), Recorded(sampler)
    instrument("SPAN_AND_EVENT", **{**recorded.providers, "logger_provider": loggers})
    calls = range(1, 4)
    assert_the_program_is_as_ever(calls)
    if sampler is ALWAYS_ON:
        assert_all_is_told_once(recorded, calls)
    dspy.configure(lm=BrokenModel(model="broken"))
    for number in calls:
        with pytest.raises(LookupError, match="out of order"), usage_scope() as usage:
            Desk()(question=f"number {number}")
        assert usage.lm_calls >= 1
    assert recorded.collector.open == []
    if sampler is ALWAYS_OFF or method == "emit":
        assert loggers.reached
    said = [record.getMessage() for record in caplog.records if record.name.startswith("opentelemetry.instrumentation")]
    assert len(said) == (method == "emit")
    assert SECRET not in "".join(map(logging.Formatter().format, caplog.records))
