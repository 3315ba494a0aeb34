"""The demo says what arrived: the protocol is the one that answers, and nothing is claimed that did not happen."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import delivery
import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from otlp_receiver import OtlpReceiver
from test_examples import run

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def grpc_endpoint() -> Iterator[str]:
    """A server that speaks gRPC and has no service."""
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(None)


@contextlib.contextmanager
def answering(traces: list[tuple[int, str, bytes]]) -> Iterator[str]:
    """A backend that answers to traces as it is told, the last way for ever, and knows nothing of metrics."""
    left = [*traces]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_traces = self.path == "/v1/traces"
            status, kind, reply = (left.pop(0) if len(left) > 1 else left[0]) if is_traces else (404, "", b"")
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *values: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


ALL = ("traces", "metrics", "logs")


@contextlib.contextmanager
def page() -> Iterator[int]:
    """A web server that answers to everything, and its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *values: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def nothing() -> str:
    """An endpoint where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_what_answers_decides_the_protocol_and_the_signals(grpc_endpoint: str) -> None:
    with OtlpReceiver() as receiver:
        assert delivery.find(receiver.endpoint, {}) == delivery.Receiver("http/protobuf", ALL)
    assert delivery.find(grpc_endpoint, {}) == delivery.Receiver("grpc", ALL)
    with answering(traces=[(200, "", b"")]) as endpoint:
        refusals = {"metrics": "HTTP 404", "logs": "HTTP 404"}
        assert delivery.find(endpoint, {}) == delivery.Receiver("http/protobuf", ("traces",), refusals)
    silent = delivery.find(nothing(), {})
    assert (silent.protocol, silent.signals) == (None, ())
    assert silent.refusals == dict.fromkeys(ALL, "no answer")


def test_the_signals_are_asked_for_at_once() -> None:
    all_asked = threading.Barrier(len(ALL))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with contextlib.suppress(threading.BrokenBarrierError):
                all_asked.wait(delivery.PATIENCE)
            self.send_response(200 if not all_asked.broken else 504)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *values: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        found = delivery.find(f"http://127.0.0.1:{server.server_address[1]}", {})
        server.shutdown()
    assert found.signals == ALL


def test_the_demo_says_that_it_sent_what_arrived() -> None:
    with OtlpReceiver() as receiver:
        output = run("run.py", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
        assert f"Sent to {receiver.endpoint} as well, over http/protobuf: traces, metrics and logs." in output
        assert len(receiver.spans) > 50
        assert receiver.metrics != []
        assert len([log for log in receiver.logs if log.event_name == "gen_ai.evaluation.result"]) == 8


def test_the_demo_finds_the_stack_on_this_machine_and_names_the_page_to_open() -> None:
    with OtlpReceiver() as receiver, page() as grafana:
        output = run("run.py", OTLP_HTTP_PORT=str(receiver.port), GRAFANA_PORT=str(grafana), JAEGER_PORT="1")
        assert f"Something takes telemetry at http://localhost:{receiver.port}: this run goes there too" in output
        assert f"Sent to http://localhost:{receiver.port} as well, over http/protobuf" in output
        assert len(receiver.spans) > 50
    assert f"See it in Grafana: http://localhost:{grafana}\n" in output
    assert "See it in Jaeger" not in output


def test_the_demo_leaves_the_stack_alone_where_the_endpoint_is_set_to_nothing() -> None:
    with OtlpReceiver() as receiver:
        output = run("run.py", OTLP_HTTP_PORT=str(receiver.port), OTEL_EXPORTER_OTLP_ENDPOINT="")
        assert receiver.requests == []
    assert "as well" not in output


def test_the_demo_claims_nothing_where_nobody_answers() -> None:
    endpoint = nothing()
    output = run("run.py", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert "as well" not in output
    assert f"Not sent to {endpoint}: traces (no answer)." in output
    assert "docs/backends.md" in output


def test_the_demo_claims_nothing_of_what_the_exporters_lost(grpc_endpoint: str) -> None:
    output = run("run.py", OTEL_EXPORTER_OTLP_ENDPOINT=grpc_endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="2")
    assert "as well" not in output
    assert f"Not all of it arrived at {grpc_endpoint}: traces (the exporter's errors are above)." in output


def test_the_demo_sends_what_a_backend_takes_and_says_what_it_does_not() -> None:
    with answering(traces=[(200, "", b"")] * 99) as endpoint:
        output = run("run.py", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert f"Sent to {endpoint} as well, over http/protobuf: traces." in output
    assert f"Not sent to {endpoint}: metrics (HTTP 404)." in output


PARTLY = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=5)).SerializeToString()
PROTOBUF = "application/x-protobuf"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(200, "", b""), (503, "", b""), (200, "", b"")], "Sent to {} as well, over http/protobuf: traces."),
        ([(200, "", b""), *[(200, PROTOBUF, PARTLY)] * 99], "Not all of it arrived at {}: traces (5 rejected)."),
        ([(200, "", b""), *[(500, "", b"")] * 99], "Not all of it arrived at {}: traces (HTTP 500)."),
        ([(200, "text/html", b"<html>")] * 99, "Not sent to {}: traces (a web page)."),
    ],
    ids=["at the second try", "in part", "not at all", "a web page"],
)
def test_the_demo_says_what_the_receiver_said(answers: list[tuple[int, str, bytes]], said: str) -> None:
    with answering(traces=answers) as endpoint:
        output = run("run.py", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="4")
    assert said.format(endpoint) in output
    assert ("as well" in output) is said.startswith("Sent")


@pytest.mark.parametrize(
    ("line", "is_lost"),
    [
        ("Failed to export span batch code: 404, reason: Not Found", True),
        ("Failed to export traces to localhost:4317, error code: StatusCode.UNIMPLEMENTED", True),
        ("Exception while exporting Span.", True),
        ("Transient error StatusCode.UNAVAILABLE encountered while exporting metrics, retrying in 1s.", False),
        ("Average Metric: 7 / 8 (87.5%)", False),
        ("exporting the report", False),
    ],
)
def test_words_of_the_exporters_tell_what_was_lost_for_good(line: str, is_lost: bool) -> None:
    assert delivery.lost_in(line) is is_lost
