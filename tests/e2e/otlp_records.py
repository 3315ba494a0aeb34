"""What OTLP requests contain, as plain values to compare: one record per span, data point or log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.metrics.v1.metrics_pb2 import (
        ExponentialHistogramDataPoint,
        HistogramDataPoint,
        Metric,
        NumberDataPoint,
    )

__all__ = [
    "Attributes",
    "EventRecord",
    "LinkRecord",
    "LogRecord",
    "MetricPoint",
    "Origin",
    "SpanRecord",
    "Value",
    "logs_in",
    "metric_points_in",
    "spans_in",
]

Value: TypeAlias = "str | bool | int | float | bytes | list[Value] | dict[str, Value] | None"
Attributes: TypeAlias = "dict[str, Value]"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sent a record: the resource and the instrumentation scope."""

    resource: Attributes
    scope_name: str
    scope_version: str


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A span event; the time is in nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """A span link; identifiers are lower-case hexadecimal."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A span: `kind` is `CLIENT`, `INTERNAL`, …; `status` is `UNSET`, `OK` or `ERROR`."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    status: str
    status_message: str
    start_ns: int
    end_ns: int
    attributes: Attributes
    events: list[EventRecord]
    links: list[LinkRecord]
    origin: Origin


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One data point: `value` of a sum or gauge; `count`, `sum` and buckets of a histogram.

    `data` is the protocol's word: `sum`, `gauge`, `histogram`, `exponential_histogram` (its buckets are not
    read). A gauge has no `temporality`.
    """

    name: str
    unit: str
    data: str
    temporality: str | None
    attributes: Attributes
    origin: Origin
    value: int | float | None = None
    count: int | None = None
    sum: float | None = None
    bounds: tuple[float, ...] = ()
    bucket_counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log record or, with an `event_name`, an event; outside of a span there are no identifiers."""

    event_name: str
    severity: str
    body: Value
    attributes: Attributes
    time_ns: int
    trace_id: str | None
    span_id: str | None
    origin: Origin


def spans_in(request: ExportTraceServiceRequest) -> Iterator[SpanRecord]:
    """The spans of a request in the order of the request."""
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            origin = Origin(resource, scope_spans.scope.name, scope_spans.scope.version)
            for span in scope_spans.spans:
                yield _span(span, origin)


def metric_points_in(request: ExportMetricsServiceRequest) -> Iterator[MetricPoint]:
    """The data points of a request. Raises: ValueError for summaries, which no SDK sends."""
    for resource_metrics in request.resource_metrics:
        resource = _attributes(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            origin = Origin(resource, scope_metrics.scope.name, scope_metrics.scope.version)
            for metric in scope_metrics.metrics:
                yield from _metric_points(metric, origin)


def logs_in(request: ExportLogsServiceRequest) -> Iterator[LogRecord]:
    """The log records of a request in the order of the request."""
    for resource_logs in request.resource_logs:
        resource = _attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            origin = Origin(resource, scope_logs.scope.name, scope_logs.scope.version)
            for log in scope_logs.log_records:
                yield LogRecord(
                    event_name=log.event_name,
                    severity=log.severity_text,
                    body=_value(log.body),
                    attributes=_attributes(log.attributes),
                    time_ns=log.time_unix_nano,
                    trace_id=log.trace_id.hex() or None,
                    span_id=log.span_id.hex() or None,
                    origin=origin,
                )


def _span(span: Span, origin: Origin) -> SpanRecord:
    return SpanRecord(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex() or None,
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        status=Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        status_message=span.status.message,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        events=[EventRecord(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in span.events],
        links=[
            LinkRecord(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes)) for link in span.links
        ],
        origin=origin,
    )


def _metric_points(metric: Metric, origin: Origin) -> Iterator[MetricPoint]:
    match metric.WhichOneof("data"):
        case "gauge":
            for number in metric.gauge.data_points:
                yield _number_point(metric, "gauge", None, number, origin)
        case "sum":
            temporality = _temporality(metric.sum.aggregation_temporality)
            for number in metric.sum.data_points:
                yield _number_point(metric, "sum", temporality, number, origin)
        case "histogram":
            temporality = _temporality(metric.histogram.aggregation_temporality)
            for histogram in metric.histogram.data_points:
                point = _distribution_point(metric, "histogram", temporality, histogram, origin)
                bounds, counts = tuple(histogram.explicit_bounds), tuple(histogram.bucket_counts)
                yield replace(point, bounds=bounds, bucket_counts=counts)
        case "exponential_histogram":
            temporality = _temporality(metric.exponential_histogram.aggregation_temporality)
            for exponential in metric.exponential_histogram.data_points:
                yield _distribution_point(metric, "exponential_histogram", temporality, exponential, origin)
        case data:
            # Better a failed test than a data point that silently does not exist.
            raise ValueError(f"{metric.name}: data of the kind {data} are not read")


def _number_point(
    metric: Metric, data: str, temporality: str | None, point: NumberDataPoint, origin: Origin
) -> MetricPoint:
    value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
    attributes = _attributes(point.attributes)
    return MetricPoint(metric.name, metric.unit, data, temporality, attributes, origin, value=value)


def _distribution_point(
    metric: Metric,
    data: str,
    temporality: str,
    point: HistogramDataPoint | ExponentialHistogramDataPoint,
    origin: Origin,
) -> MetricPoint:
    total = point.sum if point.HasField("sum") else None
    attributes = _attributes(point.attributes)
    return MetricPoint(metric.name, metric.unit, data, temporality, attributes, origin, count=point.count, sum=total)


def _temporality(number: AggregationTemporality.ValueType) -> str:
    name: str = AggregationTemporality.Name(number)
    return name.removeprefix("AGGREGATION_TEMPORALITY_")


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Value:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case "bytes_value":
            return value.bytes_value
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case _:
            return None
