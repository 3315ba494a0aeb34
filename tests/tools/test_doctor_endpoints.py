"""What the doctor says of addresses that answer, and do not take what is sent to them."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from doctor_runs import HTTP, TRACES_ALONE, changes, doctor
from loopback import ADDRESS, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Answering(BaseHTTPRequestHandler):
    """Answers every path in one way, unless it is among others."""

    status: ClassVar[int] = 200
    kind: ClassVar[str] = "application/x-protobuf"
    taken: ClassVar[tuple[str, ...]] = ()
    asked: ClassVar[list[str]]

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """Nobody reads it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.asked.append(self.path)
        self.send_response(200 if self.path in self.taken else self.status)
        self.send_header("Content-Type", self.kind)
        self.send_header("Location", "/login")
        self.send_header("Content-Length", "0")
        self.end_headers()


def answering(**answer: Any) -> LoopbackServer:
    handler = type("Answering", (_Answering,), {"asked": [], **answer})
    return LoopbackServer(HTTPServer(ADDRESS, handler), "answering")


@pytest.mark.parametrize(
    ("answer", "text", "remedy"),
    [
        ({"status": 404}, "HTTP answers there with 404: this signal is not taken at its path", "Correct the address;"),
        ({"status": 302}, "HTTP answers there with 302: it leads elsewhere", "Name the address where OTLP is taken;"),
        ({"kind": "text/html"}, "a page for a browser answers there, and no OTLP", "Name the address where OTLP"),
    ],
    ids=["no such path", "redirection", "page"],
)
def test_what_answers_and_takes_nothing_is_told(tmp_path: Path, answer: dict[str, Any], text: str, remedy: str) -> None:
    with answering(**answer) as server:
        endpoint = f"http://127.0.0.1:{server.port}"
        ended = doctor(tmp_path, **HTTP, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)

    [change] = changes(ended)
    said, _, to_do = change.partition(" -> ")
    assert said.startswith(f"traces, metrics, logs: {endpoint} by http/protobuf: {text}")
    assert to_do.startswith(remedy)


def test_a_backend_for_traces_alone_is_told_apart_and_the_traces_arrive(tmp_path: Path) -> None:
    with answering(status=405, taken=("/v1/traces",)) as server:
        endpoint = f"http://127.0.0.1:{server.port}"
        ended = doctor(tmp_path, **HTTP, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)

    assert changes(ended) == [
        f"metrics, logs: {endpoint} by http/protobuf: HTTP answers there with 405: this signal is not taken at its "
        "path -> Correct the address; where a backend takes traces alone, set OTEL_METRICS_EXPORTER=none and "
        "OTEL_LOGS_EXPORTER=none."
    ]
    assert "OTLPSpanExporter has taken its traces: SUCCESS" in ended.output


@pytest.fixture
def silent() -> Iterator[tuple[int, list[socket.socket]]]:
    """A port that takes connections and says nothing, and those that it has taken."""
    taken: list[socket.socket] = []

    def take() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken.append(listener.accept()[0])

    with socket.create_server(ADDRESS) as listener:
        taking = threading.Thread(target=take)
        taking.start()
        yield listener.getsockname()[1], taken
        listener.shutdown(socket.SHUT_RDWR)
    taking.join()
    for connection in taken:
        connection.close()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_an_address_that_says_nothing_is_not_asked_for_each_signal(
    tmp_path: Path, silent: tuple[int, list[socket.socket]], protocol: str
) -> None:
    port, taken = silent
    endpoint = f"http://127.0.0.1:{port}"
    ended = doctor(
        tmp_path,
        *("--timeout", "0.2"),
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
    )

    assert changes(ended) == [
        f"traces, metrics, logs: {endpoint} by {protocol}: 127.0.0.1:{port} takes connections, and says nothing in "
        "time -> See whether the backend is well, or ask with a longer --timeout."
    ]
    # Whether it is there, and then HTTP/2, HTTP/1 and TLS; what the exporters of gRPC open for themselves besides.
    assert len(taken) <= 4 + 3 * (protocol == "grpc")


@pytest.mark.parametrize(
    ("endpoint", "protocol", "change"),
    [
        (
            "http://joe:violet-harbour@127.0.0.1:4317",
            "grpc",
            "traces: http://127.0.0.1:4317 by grpc: gRPC takes the user name in the endpoint for a part of the host -> "
            "Take it out, and give the key as a header, in OTEL_EXPORTER_OTLP_HEADERS.",
        ),
        (
            "http://127.0.0.1:4318/v1/traces",
            "http/protobuf",
            "traces: http://127.0.0.1:4318/v1/traces by http/protobuf: the exporter has added its path to one that had "
            "it -> Write OTEL_EXPORTER_OTLP_ENDPOINT without it: only an endpoint for one signal has it.",
        ),
        (
            "http://127.0.0.1:4318/otlp?api_key=violet-harbour",
            "http/protobuf",
            "traces: http://127.0.0.1:4318/otlp by http/protobuf: the endpoint has a question mark, and the exporter "
            "adds its path behind that -> Give what stands there as a header, or each signal its whole address: "
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and its like.",
        ),
    ],
    ids=["user name", "path", "query"],
)
def test_an_endpoint_that_is_written_wrong_is_told_by_what_is_wrong(
    tmp_path: Path, endpoint: str, protocol: str, change: str
) -> None:
    options = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    ended = doctor(tmp_path, **TRACES_ALONE, **options)

    assert changes(ended) == [change]
    assert "violet" not in ended.output


def test_what_goes_through_a_proxy_is_followed_through_it(tmp_path: Path) -> None:
    with answering() as proxy:
        ended = doctor(
            tmp_path,
            **HTTP,
            **TRACES_ALONE,
            OTEL_EXPORTER_OTLP_ENDPOINT="http://backend.invalid:4318",
            HTTP_PROXY=f"http://joe:violet-harbour@127.0.0.1:{proxy.port}",
            NO_PROXY="",
        )

    assert (ended.code, changes(ended)) == (0, [])
    way = f"it is reached through the proxy 127.0.0.1:{proxy.port}, which HTTP_PROXY names, and is not asked here"
    assert way in " ".join(ended.output.split())
    assert "OTLPSpanExporter has taken its traces: SUCCESS" in ended.output
    assert "violet" not in ended.output


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_proxy_that_is_not_there_is_named_and_not_the_backend(tmp_path: Path, protocol: str) -> None:
    with socket.socket() as free:
        free.bind(ADDRESS)
        proxy = f"127.0.0.1:{free.getsockname()[1]}"
    ended = doctor(
        tmp_path,
        **TRACES_ALONE,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://backend.invalid:4318",
        http_proxy=f"http://{proxy}",
        no_proxy="elsewhere.invalid",
    )

    assert changes(ended) == [
        f"traces: http://backend.invalid:4318 by {protocol}: it is reached through the proxy {proxy}, which http_proxy "
        "names, and nothing listens at the proxy -> Correct http_proxy, or name backend.invalid in no_proxy to do "
        "without."
    ]
