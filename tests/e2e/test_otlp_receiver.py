"""The receiver of the end-to-end tests, tried with the real exporters and against another receiver."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.error
import urllib.request
from functools import partial
from typing import TYPE_CHECKING

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings
from otlp_receiver import OtlpReceiver
from otlp_records import EventRecord, LinkRecord, Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

RESOURCE = Resource({"service.name": "tested", "process.pid": 7})
ORIGIN = Origin({"service.name": "tested", "process.pid": 7}, "tests.scope", "1.2")


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


def tracer_provider(endpoint: str, compression: Compression = Compression.NoCompression) -> TracerProvider:
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", compression=compression)
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def record_a_call_in_a_request(provider: TracerProvider) -> None:
    tracer = provider.get_tracer("tests.scope", "1.2")
    with tracer.start_as_current_span("earlier") as earlier:
        pass
    with (
        tracer.start_as_current_span("request", kind=SpanKind.SERVER),
        tracer.start_as_current_span(
            "call", kind=SpanKind.CLIENT, links=[Link(earlier.get_span_context(), {"why": "retry"})]
        ) as call,
    ):
        call.set_attributes({"text": "é", "count": 2, "share": 0.5, "yes": True, "all": ["a", "b"]})
        call.add_event("chunk", {"index": 0}, timestamp=1_700_000_000_000_000_000)
        call.set_status(Status(StatusCode.ERROR, "too slow"))


@pytest.mark.parametrize("compression", list(Compression))
def test_spans_arrive_with_everything_that_they_carry(receiver: OtlpReceiver, compression: Compression) -> None:
    record_a_call_in_a_request(tracer_provider(receiver.endpoint, compression))

    earlier, call, request = receiver.wait_for_spans(3)

    assert (earlier.name, earlier.kind, earlier.status) == ("earlier", "INTERNAL", "UNSET")
    assert (request.name, request.kind, request.parent_span_id) == ("request", "SERVER", None)
    assert (call.name, call.kind, call.parent_span_id) == ("call", "CLIENT", request.span_id)
    assert call.trace_id == request.trace_id != earlier.trace_id
    assert (len(call.trace_id), len(call.span_id)) == (32, 16)
    assert (call.status, call.status_message) == ("ERROR", "too slow")
    assert call.attributes == {"text": "é", "count": 2, "share": 0.5, "yes": True, "all": ["a", "b"]}
    assert [type(value) for value in call.attributes.values()] == [str, int, float, bool, list]
    assert call.events == [EventRecord("chunk", 1_700_000_000_000_000_000, {"index": 0})]
    assert call.links == [LinkRecord(earlier.trace_id, earlier.span_id, {"why": "retry"})]
    assert 0 < request.start_ns <= call.start_ns <= call.end_ns <= request.end_ns
    assert call.origin == ORIGIN


def test_a_span_is_there_when_its_exporter_has_flushed(receiver: OtlpReceiver) -> None:
    provider = tracer_provider(receiver.endpoint)

    provider.get_tracer("tests.scope").start_span("only").end()
    provider.shutdown()

    assert [span.name for span in receiver.spans] == ["only"]
    assert [request.path for request in receiver.requests] == ["/v1/traces"]
    assert receiver.refusals == []


def has_name(name: str, span: SpanMessage) -> bool:
    return span.name == name


def test_an_independent_receiver_reads_the_same_spans(receiver: OtlpReceiver) -> None:
    async def through_oteltap() -> list[SpanMessage]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = OtelTapHttpProtobufReceiverSettings(
            http_port=port, reemit_traces_to_url=f"{receiver.endpoint}/v1/traces"
        )
        async with OtelTapHttpProtobufReceiver(settings) as tap:
            # These are queued on the loop before the first span can come: the tap keeps nothing for later.
            waiting = [
                asyncio.ensure_future(tap.await_trace(partial(has_name, name), timeout=110))
                for name in ("earlier", "call", "request")
            ]
            await asyncio.to_thread(record_a_call_in_a_request, tracer_provider(f"http://127.0.0.1:{port}"))
            seen = await asyncio.gather(*waiting)
            # What the tap has not handed on when it closes is lost.
            await asyncio.to_thread(receiver.wait_for_spans, 3)
            return seen

    theirs = sorted(asyncio.run(through_oteltap()), key=lambda span: span.span_id.hex())
    ours = sorted(receiver.wait_for_spans(3), key=lambda span: span.span_id)

    assert [(span.name, span.trace_id, span.span_id, span.parent_span_id or "") for span in ours] == [
        (span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) for span in theirs
    ]
    assert [(span.start_ns, span.end_ns) for span in ours] == [
        (span.start_time_unix_nano, span.end_time_unix_nano) for span in theirs
    ]
    assert [list(span.attributes) for span in ours] == [[pair.key for pair in span.attributes] for span in theirs]


def test_data_points_of_every_instrument_arrive(receiver: OtlpReceiver) -> None:
    exporter = OTLPMetricExporter(
        endpoint=f"{receiver.endpoint}/v1/metrics",
        preferred_temporality={Counter: AggregationTemporality.DELTA},
    )
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource=RESOURCE)
    meter = provider.get_meter("tests.scope", "1.2")
    meter.create_counter("calls", "{call}").add(3, {"model": "small"})
    meter.create_gauge("score", "1").set(0.25)
    meter.create_histogram("duration", "s", explicit_bucket_boundaries_advisory=[1.0, 2.0]).record(1.5)
    provider.shutdown()

    calls, score, duration = receiver.wait_for_metrics(3)

    assert (calls.name, calls.unit, calls.data, calls.temporality) == ("calls", "{call}", "sum", "DELTA")
    assert (calls.value, calls.attributes, calls.origin) == (3, {"model": "small"}, ORIGIN)
    assert (score.name, score.data, score.temporality, score.value) == ("score", "gauge", None, 0.25)
    assert (duration.name, duration.data, duration.temporality) == ("duration", "histogram", "CUMULATIVE")
    assert (duration.count, duration.sum, duration.value) == (1, 1.5, None)
    assert (duration.bounds, duration.bucket_counts) == ((1.0, 2.0), (0, 1, 0))


def test_an_exponential_histogram_arrives_with_count_and_sum(receiver: OtlpReceiver) -> None:
    exporter = OTLPMetricExporter(
        endpoint=f"{receiver.endpoint}/v1/metrics",
        preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()},
    )
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource=RESOURCE)
    duration = provider.get_meter("tests.scope").create_histogram("duration", "s")
    duration.record(1.5)
    duration.record(2.0)
    provider.shutdown()

    [point] = receiver.metrics

    assert (point.data, point.count, point.sum) == ("exponential_histogram", 2, 3.5)


def test_log_records_arrive_with_the_span_that_they_belong_to(receiver: OtlpReceiver) -> None:
    provider = LoggerProvider(resource=RESOURCE)
    exporter = OTLPLogExporter(endpoint=f"{receiver.endpoint}/v1/logs")
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("tests.scope", "1.2")
    tracer = TracerProvider().get_tracer("tests.scope")
    with tracer.start_as_current_span("request") as span:
        logger.emit(
            LogRecord(
                event_name="evaluated",
                timestamp=5,
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body={"score": 1.0, "tags": ["a"]},
                attributes={"label": "pass"},
            )
        )
    logger.emit(LogRecord(body="outside"))

    inside, outside = receiver.wait_for_logs(2)

    assert (inside.event_name, inside.severity, inside.time_ns) == ("evaluated", "INFO", 5)
    assert inside.body == {"score": 1.0, "tags": ["a"]}
    assert (inside.attributes, inside.origin) == ({"label": "pass"}, ORIGIN)
    context = span.get_span_context()
    assert (inside.trace_id, inside.span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert (outside.body, outside.trace_id, outside.span_id) == ("outside", None, None)


def test_waiting_ends_when_a_later_span_makes_the_predicate_true(receiver: OtlpReceiver) -> None:
    tracer = tracer_provider(receiver.endpoint).get_tracer("tests.scope")
    first_is_seen = threading.Event()

    def has_the_second(names: list[str]) -> bool:
        if names == ["first"]:
            first_is_seen.set()
        return "second" in names

    def send() -> None:
        tracer.start_span("first").end()
        first_is_seen.wait(10)
        tracer.start_span("second").end()

    sender = threading.Thread(target=send)
    sender.start()
    spans = receiver.wait_for_spans(lambda spans: has_the_second([span.name for span in spans]))
    sender.join()

    assert [span.name for span in spans] == ["first", "second"]


def test_waiting_in_vain_says_what_did_arrive(receiver: OtlpReceiver) -> None:
    tracer_provider(receiver.endpoint).get_tracer("tests.scope").start_span("only").end()

    with pytest.raises(TimeoutError, match=r"0\.1 s; 1 arrived: \['only'\], refused: \[\]"):
        receiver.wait_for_spans(2, timeout=0.1)


@pytest.mark.parametrize(
    ("path", "content_type", "content", "status"),
    [
        ("/v1/traces", "application/x-protobuf", b"\xff not a message", 400),
        ("/v1/traces", "application/json", b"{}", 415),
        ("/v1/profiles", "application/x-protobuf", b"", 404),
    ],
)
def test_what_is_not_otlp_is_refused_and_remembered(
    receiver: OtlpReceiver, path: str, content_type: str, content: bytes, status: int
) -> None:
    request = urllib.request.Request(f"{receiver.endpoint}{path}", content, {"Content-Type": content_type})

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    refused.value.close()

    assert refused.value.code == status
    assert len(receiver.refusals) == 1
    assert path in receiver.refusals[0]
    assert (receiver.requests, receiver.spans) == ([], [])
