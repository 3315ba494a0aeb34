"""What an instrumentation emitted for one program call, as data: spans below their parents, metric points with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context
from opentelemetry.metrics import NoOpCounter, NoOpHistogram, NoOpMeter, NoOpMeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, get_current_span

__all__ = ["Instrument", "RecordedPoint", "RecordedSpan", "RecordingProviders", "outline"]


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric instrument, by what it takes to make it."""

    kind: str
    """``histogram`` or ``counter``."""
    name: str
    unit: str
    description: str
    boundaries: tuple[float, ...] | None = None


@dataclass(slots=True)
class RecordedPoint:
    """One measurement, in the context of the span that it is kept with."""

    instrument: Instrument
    amount: float
    attributes: dict[str, Any]


@dataclass(slots=True)
class RecordedSpan:
    """One span."""

    name: str
    kind: SpanKind
    attributes: dict[str, Any]
    points: list[RecordedPoint]
    children: list[RecordedSpan]


@dataclass(slots=True)
class RecordingProviders:
    """Providers for an instrumentation whose telemetry is to be taken down."""

    tracer_provider: TracerProvider = field(default_factory=TracerProvider)
    meter_provider: _RecordingMeterProvider = field(default_factory=lambda: _RecordingMeterProvider([]))
    _exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def __post_init__(self) -> None:
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def take(self) -> list[RecordedSpan]:
        """Return the root spans of what was emitted since the last time.

        Raises ``ValueError`` for what ``RecordedSpan`` does not hold: events, links, a status, points without a span.
        """
        spans, points = self._exporter.get_finished_spans(), [*self.meter_provider.points]
        self._exporter.clear()
        self.meter_provider.points.clear()
        return _trees(spans, points)


def outline(spans: Iterable[RecordedSpan]) -> list[Any]:
    """Return spans and points as values to compare; of a measurement all but the amount, which is mostly time."""
    return [
        (
            span.name,
            span.kind,
            sorted(span.attributes.items()),
            sorted((point.instrument.name, sorted(point.attributes.items())) for point in span.points),
            outline(span.children),
        )
        for span in spans
    ]


def _trees(spans: Sequence[ReadableSpan], points: Iterable[tuple[int, RecordedPoint]]) -> list[RecordedSpan]:
    by_identity: dict[int, RecordedSpan] = {}
    for span in spans:
        if span.events or span.links or not span.status.is_unset:
            raise ValueError(f"{span.name} has events, links or a status")
        by_identity[_identity(span)] = RecordedSpan(span.name, span.kind, dict(span.attributes or {}), [], [])
    for identity, point in points:
        if identity not in by_identity:
            raise ValueError(f"a point of {point.instrument.name} is outside of every span")
        by_identity[identity].points.append(point)
    roots: list[RecordedSpan] = []
    # In the order in which they began: spans are exported as they end.
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        siblings = roots if span.parent is None else by_identity[span.parent.span_id].children
        siblings.append(by_identity[_identity(span)])
    return roots


def _identity(span: ReadableSpan) -> int:
    if span.context is None:
        raise ValueError(f"{span.name} has no context")
    identity: int = span.context.span_id
    return identity


_Take = Callable[[float, Any, Context | None], None]


class _RecordingMeterProvider(NoOpMeterProvider):
    """Takes down each measurement, and the span in whose context it was made."""

    def __init__(self, points: list[tuple[int, RecordedPoint]]) -> None:
        self.points = points

    def get_meter(self, name: str, *_: Any, **__: Any) -> _RecordingMeter:
        """Return a meter whose instruments record into ``points``."""
        return _RecordingMeter(name, self.points)


class _RecordingMeter(NoOpMeter):
    def __init__(self, name: str, points: list[tuple[int, RecordedPoint]]) -> None:
        super().__init__(name)
        self._points = points

    def create_counter(self, name: str, unit: str = "", description: str = "") -> _RecordingCounter:
        return _RecordingCounter(name, unit, description, self._take(Instrument("counter", name, unit, description)))

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> _RecordingHistogram:
        boundaries = explicit_bucket_boundaries_advisory
        instrument = Instrument("histogram", name, unit, description, tuple(boundaries) if boundaries else None)
        return _RecordingHistogram(name, unit, description, self._take(instrument))

    def _take(self, instrument: Instrument) -> _Take:
        def take(amount: float, attributes: Any, context: Context | None) -> None:
            identity = get_current_span(context).get_span_context().span_id
            self._points.append((identity, RecordedPoint(instrument, amount, dict(attributes or {}))))

        return take


class _RecordingCounter(NoOpCounter):
    def __init__(self, name: str, unit: str, description: str, take: _Take) -> None:
        super().__init__(name, unit, description)
        self._take = take

    def add(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        self._take(amount, attributes, context)


class _RecordingHistogram(NoOpHistogram):
    def __init__(self, name: str, unit: str, description: str, take: _Take) -> None:
        super().__init__(name, unit, description)
        self._take = take

    def record(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        self._take(amount, attributes, context)
