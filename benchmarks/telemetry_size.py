"""How much telemetry a thousand calls of language models make: spans, bytes and series, and a million calls a day.

    python -m benchmarks.telemetry_size [calls]

The programs are those of the overhead benchmark, on a language model that answers in process. Bytes are those of the
OTLP requests that an SDK sends, in batches of 512 spans, before and after gzip. Series are those of Prometheus: one for
each bucket of a histogram, and two for its sum and count; they do not grow with the calls.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ.setdefault("DSPY_CACHEDIR", tempfile.mkdtemp(prefix="dspy-cache-"))

import dspy
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.programs import PROGRAMS, SETTINGS, language_model
from opentelemetry.instrumentation.dspy import DSPyInstrumentor, usage_scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Size", "measured"]

CALLS = 1_000
BATCH = 512
A_DAY = 1_000_000
SECONDS_A_DAY = 86_400
DAYS = 30
"""In a month."""
WAIT = 60
"""Seconds until a gateway decides about a trace (deploy/gateway/gateway.yaml)."""
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@dataclass(frozen=True, slots=True)
class Size:
    """What the calls of one program made."""

    lm_calls: int
    spans: int
    octets: int
    compressed: int
    """Octets after gzip."""
    series: int

    def per_call(self, amount: int) -> float:
        """Return an amount for one call of a language model."""
        return amount / self.lm_calls


def measured(program: str, capture: str, calls: int) -> Size:
    """Run a program until it has made so many calls of its language model, and measure its telemetry."""
    os.environ[CAPTURE] = capture
    dspy.cache.reset_memory_cache()
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces = TracerProvider(shutdown_on_exit=False)
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    DSPyInstrumentor().instrument(tracer_provider=traces, meter_provider=meters)
    try:
        with dspy.context(lm=language_model(), **SETTINGS), usage_scope() as usage:
            run = PROGRAMS[program].create()
            while usage.lm_calls < calls:
                run()
        octets, compressed = _sent(exporter.get_finished_spans())
        return Size(usage.lm_calls, len(exporter.get_finished_spans()), octets, compressed, _series(reader))
    finally:
        DSPyInstrumentor().uninstrument()
        meters.shutdown()


def _sent(spans: Sequence[ReadableSpan]) -> tuple[int, int]:
    octets = compressed = 0
    for start in range(0, len(spans), BATCH):
        content = encode_spans(spans[start : start + BATCH]).SerializeToString()
        octets += len(content)
        compressed += len(gzip.compress(content))
    return octets, compressed


def _series(reader: InMemoryMetricReader) -> int:
    data: Any = reader.get_metrics_data()
    points = [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    return sum(len(point.bucket_counts) + 2 if hasattr(point, "bucket_counts") else 1 for point in points)


def main(calls: int = CALLS) -> None:
    """Print a table for a thousand calls, and one for a million a day."""
    dspy.configure_cache(enable_disk_cache=False)
    sizes = {
        (program, kind): measured(program, capture, calls)
        for program in PROGRAMS
        for kind, capture in (("off", ""), ("on", "SPAN_ONLY"))
    }
    print("A thousand calls of a language model:\n")
    print("| program | content | spans | kB | kB after gzip | series |")
    print("| --- | --- | --- | --- | --- | --- |")
    for (program, kind), size in sizes.items():
        spans, octets, compressed = (1000 * size.per_call(one) for one in (size.spans, size.octets, size.compressed))
        title = PROGRAMS[program].title
        print(f"| {title} | {kind} | {spans:,.0f} | {octets / 1e3:,.0f} | {compressed / 1e3:,.0f} | {size.series} |")
    print("\nA million calls a day, everything sampled:\n")
    print("| program | content | spans a second | GB a month | after gzip | MB in a gateway that waits 60 s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for (program, kind), size in sizes.items():
        spans, octets, compressed = (A_DAY * size.per_call(one) for one in (size.spans, size.octets, size.compressed))
        waiting = octets * WAIT / SECONDS_A_DAY / 1e6
        month, packed = (DAYS * one / 1e9 for one in (octets, compressed))
        title = PROGRAMS[program].title
        print(f"| {title} | {kind} | {spans / SECONDS_A_DAY:,.0f} | {month:,.0f} | {packed:,.1f} | {waiting:,.1f} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
