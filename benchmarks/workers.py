"""One process for each contender, all forked from one parent that drives them in turn.

A process of its own, because not every instrumentation can be taken off again without a trace. Forked, because the
layout of a process's memory alone changes its speed by more than what is to be measured; siblings share it.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider as SDKMeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from .contenders import Contender, floor_of, switch_on
from .programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.connection import Connection

    from .floor import Floor
    from .recorded import RecordedSpan

__all__ = ["Setting", "Worker", "measured_call", "providers"]

WARM_UP_CALLS = 20


@dataclass(frozen=True, slots=True)
class Setting:
    """How the SDK is set up."""

    sampled: bool
    metrics: bool
    endpoint: str | None = None
    """Where everything is exported to, with garbage collected as in any program; ``None`` for neither."""


class DroppingProcessor(SpanProcessor):
    """Stands where the exporter is in production; counts the spans and lets them go."""

    def __init__(self) -> None:
        self.ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Count the span."""
        self.ended += 1


def providers(setting: Setting) -> tuple[TracerProvider, MeterProvider, DroppingProcessor]:
    """Return real providers, which export where the setting has an endpoint."""
    tracer_provider = TracerProvider(sampler=ALWAYS_ON if setting.sampled else ALWAYS_OFF)
    processor = DroppingProcessor()
    tracer_provider.add_span_processor(processor)
    if setting.endpoint is not None:
        exporter = OTLPSpanExporter(f"{setting.endpoint}/v1/traces")
        tracer_provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=1_000_000))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{setting.endpoint}/v1/metrics"))
        return tracer_provider, SDKMeterProvider([reader]), processor
    meter_provider = SDKMeterProvider([InMemoryMetricReader()]) if setting.metrics else NoOpMeterProvider()
    return tracer_provider, meter_provider, processor


class Worker:
    """A contender's process, as the parent sees it."""

    def __init__(self, contender: Contender, setting: Setting, recorded: Mapping[str, Sequence[RecordedSpan]]) -> None:
        fork = multiprocessing.get_context("fork")
        self._connection, theirs = fork.Pipe()
        self._process = fork.Process(target=_serve, args=(theirs, contender, setting, recorded), daemon=True)
        self._process.start()
        theirs.close()

    def spans(self, program: str) -> int:
        """Warm up a program and return how many spans one call of it makes."""
        return int(self._ask(("spans", program, False, 0)))

    def measure(self, program: str, *, suppressed: bool, calls: int) -> float:
        """Return the CPU time of one program call in microseconds, as the mean of a few calls."""
        return float(self._ask(("measure", program, suppressed, calls)))

    def stop(self) -> None:
        """End the process."""
        self._connection.send(None)
        self._process.join()
        self._connection.close()

    def _ask(self, request: tuple[str, str, bool, int]) -> Any:
        self._connection.send(request)
        answer = self._connection.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _serve(
    connection: Connection, contender: Contender, setting: Setting, recorded: Mapping[str, Sequence[RecordedSpan]]
) -> None:
    tracer_provider, meter_provider, processor = providers(setting)
    complaints = _Complaints()
    logging.getLogger("opentelemetry").addHandler(complaints)
    switch_on(contender, tracer_provider, meter_provider)
    calls: dict[str, Callable[[], object]] = {}
    for name, program in PROGRAMS.items():
        call = program.create()
        floor = floor_of(contender, recorded[name], tracer_provider, meter_provider)
        calls[name] = measured_call(call, floor)
    if setting.endpoint is None:
        gc.collect()
        gc.freeze()
    for kind, name, suppressed, count in iter(connection.recv, None):
        call = calls[name]
        if kind == "spans":
            answer: float = _spans(call, processor)
        elif setting.endpoint is None:
            answer = _measure(call, suppressed, count)
        else:
            answer = _measure_process(call, count, tracer_provider, meter_provider)
        connection.send(complaints.error or answer)


class _Complaints(logging.Handler):
    """What an instrumentation logged: one that fails and lets the call go on is fast, and not to be measured."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self._messages.append(record.getMessage())

    @property
    def error(self) -> RuntimeError | None:
        """What the parent is to raise, if there was any."""
        return RuntimeError(f"logged while it was measured: {self._messages}") if self._messages else None


def measured_call(call: Callable[[], object], floor: Floor | None) -> Callable[[], object]:
    """Return the program's call, with a floor's work after it; alone, in a loop, that would find all caches warm."""
    if floor is None:
        return call

    def call_and_replay() -> None:
        call()
        floor.replay()

    return call_and_replay


def _spans(call: Callable[[], object], processor: DroppingProcessor) -> int:
    for _ in range(WARM_UP_CALLS):
        call()
    before = processor.ended
    call()
    return processor.ended - before


def _measure(call: Callable[[], object], suppressed: bool, count: int) -> float:
    with suppress_instrumentation() if suppressed else nullcontext():
        call()
        gc.collect()
        gc.disable()
        try:
            began = time.thread_time_ns()
            for _ in range(count):
                call()
            ended = time.thread_time_ns()
        finally:
            gc.enable()
    return (ended - began) / count / 1000


def _measure_process(
    call: Callable[[], object], count: int, tracer_provider: TracerProvider, meter_provider: MeterProvider
) -> float:
    """Return what the whole process takes for a call: garbage collection and all export included."""
    began = time.process_time_ns()
    for _ in range(count):
        call()
    tracer_provider.force_flush()
    if isinstance(meter_provider, SDKMeterProvider):
        meter_provider.force_flush()
    return (time.process_time_ns() - began) / count / 1000
