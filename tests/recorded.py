"""What a test's programs recorded: the spans, metric points and log records of the real SDK, in memory."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from generator.emitted import Emitted
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import StatusCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import DataPointT
    from opentelemetry.sdk.trace import ReadableSpan, Span
    from opentelemetry.sdk.trace.sampling import Sampler

__all__ = ["Recorded", "SpanCollector", "attributes_of", "tree_of"]


class SpanCollector(SpanProcessor):
    """Keeps every sampled span, in the order in which they started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: list[Span] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        with self._lock:
            self._started.append(span)

    @property
    def ended(self) -> list[ReadableSpan]:
        """The spans that have ended."""
        with self._lock:
            return [span for span in self._started if span.end_time is not None]

    @property
    def open(self) -> list[ReadableSpan]:
        """The spans that have not ended."""
        with self._lock:
            return [span for span in self._started if span.end_time is None]

    def clear(self) -> None:
        """Forget all spans so far."""
        with self._lock:
            self._started.clear()


@dataclass(slots=True)
class Recorded:
    """The three providers of one instrumentation, and what came out of them."""

    sampler: Sampler | None = None
    collector: SpanCollector = field(default_factory=SpanCollector)
    tracer_provider: TracerProvider = field(init=False)
    meter_provider: MeterProvider = field(init=False)
    logger_provider: LoggerProvider = field(init=False)
    _metric_reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    _log_exporter: InMemoryLogRecordExporter = field(default_factory=InMemoryLogRecordExporter)
    _forgotten: Emitted = field(default_factory=Emitted)

    def __post_init__(self) -> None:
        self.tracer_provider = TracerProvider(sampler=self.sampler, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(self.collector)
        self.meter_provider = MeterProvider([self._metric_reader], shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._log_exporter))

    @property
    def providers(self) -> dict[str, Any]:
        """The keyword arguments of ``DSPyInstrumentor.instrument``."""
        return {
            "tracer_provider": self.tracer_provider,
            "meter_provider": self.meter_provider,
            "logger_provider": self.logger_provider,
        }

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in the order in which they started."""
        return self.collector.ended

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of one name."""
        return [span for span in self.spans if span.name == name]

    def span(self, name: str) -> ReadableSpan:
        """The only span of this name."""
        found = self.named(name)
        assert len(found) == 1, f"{len(found)} spans are called {name!r}:\n{self.tree()}"
        return found[0]

    def attributes(self, name: str) -> dict[str, Any]:
        """The attributes of the only span of this name."""
        return attributes_of(self.span(name))

    def tree(self) -> str:
        """A picture of the spans, one a line below its parent, failed ones with their error."""
        return tree_of(self.spans)

    def unit(self, name: str) -> str | None:
        """The unit of a metric, None where it has no points."""
        data = self._metric_reader.get_metrics_data()
        return next(
            (
                metric.unit
                for resource in (data.resource_metrics if data else ())
                for scope in resource.scope_metrics
                for metric in scope.metrics
                if metric.name == name
            ),
            None,
        )

    def metric_points(self, name: str) -> list[DataPointT]:
        """The points of one metric since the start, one for each set of attributes."""
        data = self._metric_reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    @property
    def logs(self) -> tuple[ReadableLogRecord, ...]:
        """The log records and events."""
        return self._log_exporter.get_finished_logs()

    def everything(self) -> str:
        """All that left the program, as one text to look for something in."""
        data = self._metric_reader.get_metrics_data()
        spans = "".join(span.to_json() for span in self.spans)
        logs = "".join(record.to_json() for record in self.logs)
        return spans + logs + (data.to_json() if data else "")

    def emitted(self) -> Emitted:
        """Which names were emitted where since the start, also by what is forgotten by now."""
        for span in self.spans:
            self._forgotten.add_span(span)
        for record in self.logs:
            self._forgotten.add_log(record)
        self._forgotten.add_metrics(self._metric_reader.get_metrics_data())
        return self._forgotten

    def clear(self) -> None:
        """Forget the spans and log records so far."""
        self.emitted()
        self.collector.clear()
        self._log_exporter.clear()


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of a span as a plain dictionary; sequences become lists."""
    attributes: Mapping[str, Any] = span.attributes or {}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in attributes.items()}


def tree_of(spans: list[ReadableSpan]) -> str:
    """A picture of spans, one a line below its parent, failed ones with their error."""
    identifiers = {span.context.span_id for span in spans}

    def lines(parent: int | None, depth: int) -> Iterator[str]:
        for span in spans:
            above = span.parent.span_id if span.parent is not None and span.parent.span_id in identifiers else None
            if above == parent:
                yield f"{'  ' * depth}{span.name}{_mark(span)}"
                yield from lines(span.context.span_id, depth + 1)

    return "\n".join(lines(None, 0))


def _mark(span: ReadableSpan) -> str:
    if span.status.status_code is StatusCode.ERROR:
        return f" [ERROR {attributes_of(span).get('error.type')}: {span.status.description}]"
    return "" if span.status.status_code is StatusCode.UNSET else f" [{span.status.status_code.name}]"
