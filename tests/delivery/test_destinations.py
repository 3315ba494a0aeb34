"""Where an exporter sends to is read from the exporter itself, and what is wrong by port or path alone is known."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from opentelemetry.instrumentation.dspy.delivery.destinations import Destination, destination_of, mismatch_of


def destination(exporter: Any) -> Destination:
    found = destination_of(exporter)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("exporter", "expected"),
    [
        (GrpcSpanExporter(), Destination("grpc", "localhost", 4317, "", False, 0)),
        (
            GrpcSpanExporter("https://collector.example:443", headers={"api-key": "k"}),
            Destination("grpc", "collector.example", 443, "", True, 1),
        ),
        (GrpcMetricExporter("[::1]:4317", insecure=True), Destination("grpc", "::1", 4317, "", False, 0)),
        (HttpSpanExporter(), Destination("http/protobuf", "localhost", 4318, "/v1/traces", False, 0)),
        (
            HttpSpanExporter("https://user:word@backend.example/otlp/v1/traces?key=1", headers={"a": "b", "c": "d"}),
            Destination("http/protobuf", "backend.example", 443, "/otlp/v1/traces", True, 2),
        ),
    ],
    ids=["gRPC", "gRPC with TLS", "IPv6", "HTTP", "HTTP with secrets"],
)
def test_an_exporter_tells_where_it_sends_to(exporter: Any, expected: Destination) -> None:
    assert destination_of(exporter) == expected


def test_an_exporter_of_a_class_of_the_applications_is_known_by_what_it_is() -> None:
    class Renamed(HttpSpanExporter):
        pass

    assert destination(Renamed("http://localhost:4318/v1/traces")).address == "http://localhost:4318/v1/traces"


def test_what_is_no_otlp_exporter_has_no_destination() -> None:
    assert destination_of(ConsoleSpanExporter()) is None
    assert destination_of(object()) is None


@pytest.mark.parametrize(
    ("exporter", "words"),
    [
        (
            GrpcSpanExporter("http://localhost:4318"),
            "traces go to port 4318 by grpc, but http/protobuf is what",
        ),
        (HttpSpanExporter("http://localhost:4317/v1/traces"), "traces go to port 4317 by http/protobuf, but grpc is"),
        (HttpSpanExporter("http://localhost:4318"), "traces go to http://localhost:4318, whose path is empty"),
        (
            HttpSpanExporter("localhost:4318/v1/traces"),
            "traces go nowhere, since the exporter's endpoint, localhost:4318,",
        ),
        (
            GrpcSpanExporter("http://joe:word@localhost:4317"),
            "traces go nowhere, since gRPC takes the user name in front of localhost:4317 for a part of the host",
        ),
        (
            HttpSpanExporter("http://localhost:4318/v1/traces/v1/traces"),
            "traces go nowhere, since the path of http://localhost:4318/v1/traces/v1/traces ends twice",
        ),
        (
            HttpSpanExporter("http://localhost:4318?key=word/v1/traces"),
            "traces go nowhere, since the endpoint at localhost:4318 has a question mark",
        ),
    ],
    ids=[
        "gRPC to 4318",
        "HTTP to 4317",
        "HTTP without a path",
        "HTTP without http://",
        "a user name over gRPC",
        "a path twice",
        "a path behind a question mark",
    ],
)
def test_the_wrong_port_and_the_missing_path_are_seen(exporter: Any, words: str) -> None:
    said = str(mismatch_of("traces", destination(exporter)))
    assert said.startswith(words)
    assert "word" not in said


@pytest.mark.parametrize(
    "exporter",
    [
        GrpcSpanExporter(),
        HttpSpanExporter(),
        GrpcSpanExporter("http://localhost:5000"),
        HttpSpanExporter("http://localhost:5000/somewhere"),
    ],
    ids=["gRPC", "HTTP", "gRPC to another port", "HTTP to another path"],
)
def test_what_may_be_right_is_left_alone(exporter: Any) -> None:
    assert mismatch_of("traces", destination(exporter)) is None
