"""The demo says what arrived: the protocol is the one that answers, and nothing is claimed that did not happen."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import delivery
import grpc
import pytest
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


@pytest.fixture
def traces_alone() -> Iterator[str]:
    """A backend that takes traces and knows nothing of metrics."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *values: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def nothing() -> str:
    """An endpoint where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_what_answers_decides_the_protocol_and_the_signals(grpc_endpoint: str, traces_alone: str) -> None:
    with OtlpReceiver() as receiver:
        assert delivery.find(receiver.endpoint, {}) == delivery.Receiver("http/protobuf", ("traces", "metrics"))
    assert delivery.find(grpc_endpoint, {}) == delivery.Receiver("grpc", ("traces", "metrics"))
    assert delivery.find(traces_alone, {}) == delivery.Receiver("http/protobuf", ("traces",), {"metrics": "HTTP 404"})
    silent = delivery.find(nothing(), {})
    assert (silent.protocol, silent.signals) == (None, ())
    assert silent.refusals == {"traces": "no answer", "metrics": "no answer"}


def test_the_demo_says_that_it_sent_what_arrived() -> None:
    with OtlpReceiver() as receiver:
        output = run("run.py", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
        assert f"Sent to {receiver.endpoint} as well, over http/protobuf: traces and metrics." in output
        assert len(receiver.spans) > 50
        assert receiver.metrics != []


def test_the_demo_claims_nothing_where_nobody_answers() -> None:
    endpoint = nothing()
    output = run("run.py", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert "as well" not in output
    assert f"Not sent to {endpoint}: traces (no answer)." in output
    assert "docs/backends.md" in output


def test_the_demo_claims_nothing_of_what_the_exporters_lost(grpc_endpoint: str) -> None:
    output = run("run.py", OTEL_EXPORTER_OTLP_ENDPOINT=grpc_endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="2")
    assert "as well" not in output
    assert f"Not all of it arrived at {grpc_endpoint}: " in output


def test_the_demo_sends_what_a_backend_takes_and_says_what_it_does_not(traces_alone: str) -> None:
    output = run("run.py", OTEL_EXPORTER_OTLP_ENDPOINT=traces_alone)
    assert f"Sent to {traces_alone} as well, over http/protobuf: traces." in output
    assert f"Not sent to {traces_alone}: metrics (HTTP 404)." in output


@pytest.mark.parametrize(
    ("line", "signals"),
    [
        ("Failed to export span batch code: 404, reason: Not Found", {"traces"}),
        ("Failed to export traces to localhost:4317, error code: StatusCode.UNIMPLEMENTED", {"traces"}),
        ("Transient error StatusCode.UNAVAILABLE encountered while exporting metrics to localhost:4317", {"metrics"}),
        ("Exception while exporting Span.", {"traces"}),
        ("Average Metric: 7 / 8 (87.5%)", set()),
        ("exporting the report", set()),
    ],
)
def test_words_of_the_exporters_tell_which_signal_was_lost(line: str, signals: set[str]) -> None:
    assert delivery.failed(f"something else\n{line}\n") == signals
