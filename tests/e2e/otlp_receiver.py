"""An OTLP/HTTP receiver on a free loopback port, for tests of what really leaves a process.

    with OtlpReceiver() as receiver:
        subprocess.run([...], env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint})
        [span] = receiver.wait_for_spans(1)

A request is kept before it is answered: when an exporter has flushed, or its process has ended, `spans`,
`metrics` and `logs` are complete, and a test may assert that there are no others.
"""

from __future__ import annotations

import contextlib
import gzip
import threading
import zlib
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from google.protobuf.message import DecodeError
from loopback import ADDRESS, LoopbackServer
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from otlp_records import LogRecord, MetricPoint, SpanRecord, logs_in, metric_points_in, spans_in

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OtlpReceiver", "OtlpRequest"]

Record = TypeVar("Record", SpanRecord, MetricPoint, LogRecord)
Wanted: TypeAlias = "int | Callable[[list[Record]], bool]"

_PATHS = {"/v1/traces", "/v1/metrics", "/v1/logs"}
_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


@dataclass(frozen=True, slots=True)
class OtlpRequest:
    """One request as it came in; header names are lower-case, `size` is in bytes after decompression."""

    path: str
    headers: dict[str, str]
    size: int


class OtlpReceiver(LoopbackServer):
    """Receives while it is entered as a context manager; every method may be called from any thread.

    With a `prefix` such as `/otlp` it takes requests to `/otlp/v1/traces` and so on, and no others.
    """

    def __init__(self, prefix: str = "") -> None:
        self.paths = {f"{prefix}{path}": path for path in _PATHS}
        self._changed = threading.Condition()
        self._requests: list[OtlpRequest] = []
        self._refusals: list[str] = []
        self._spans: list[SpanRecord] = []
        self._metrics: list[MetricPoint] = []
        self._logs: list[LogRecord] = []
        super().__init__(_Server(self), "otlp-receiver")

    @property
    def endpoint(self) -> str:
        """The base address for `OTEL_EXPORTER_OTLP_ENDPOINT`; exporters add `/v1/traces` and so on."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[OtlpRequest]:
        """The requests that were accepted, in order of arrival."""
        with self._changed:
            return list(self._requests)

    @property
    def refusals(self) -> list[str]:
        """Why requests were refused: a test that expects telemetry may assert that there are none."""
        with self._changed:
            return list(self._refusals)

    @property
    def spans(self) -> list[SpanRecord]:
        """The spans received so far, in order of arrival: children before their parents."""
        with self._changed:
            return list(self._spans)

    @property
    def metrics(self) -> list[MetricPoint]:
        """The data points received so far; a cumulative series comes again with every export."""
        with self._changed:
            return list(self._metrics)

    @property
    def logs(self) -> list[LogRecord]:
        """The log records received so far."""
        with self._changed:
            return list(self._logs)

    def wait_for_spans(self, wanted: Wanted[SpanRecord], timeout: float = 10.0) -> list[SpanRecord]:
        """All spans, as soon as there are `wanted` of them or `wanted(spans)` is true.

        `timeout` is in seconds. Raises: TimeoutError, which tells what did arrive.
        """
        return self._wait_for(self._spans, wanted, timeout)

    def wait_for_metrics(self, wanted: Wanted[MetricPoint], timeout: float = 10.0) -> list[MetricPoint]:
        """All data points, as soon as there are enough; see `wait_for_spans`."""
        return self._wait_for(self._metrics, wanted, timeout)

    def wait_for_logs(self, wanted: Wanted[LogRecord], timeout: float = 10.0) -> list[LogRecord]:
        """All log records, as soon as there are enough; see `wait_for_spans`."""
        return self._wait_for(self._logs, wanted, timeout)

    def _wait_for(self, records: list[Record], wanted: Wanted[Record], timeout: float) -> list[Record]:
        def complete() -> bool:
            return len(records) >= wanted if isinstance(wanted, int) else wanted(list(records))

        with self._changed:
            if not self._changed.wait_for(complete, timeout):
                names = [getattr(record, "name", None) or record for record in records]
                arrived = f"{len(records)} arrived: {names}, refused: {self._refusals}"
                raise TimeoutError(f"Not complete after {timeout} s; {arrived}")
            return list(records)

    def _accept(self, request: OtlpRequest, content: bytes) -> bytes:
        """Keep what the request carries and give the protocol's answer to it.

        Raises: DecodeError when the content is not the message of its path; ValueError for what is not read.
        """
        signal = self.paths[request.path]
        if signal == "/v1/traces":
            self._keep(request, self._spans, list(spans_in(ExportTraceServiceRequest.FromString(content))))
            return bytes(ExportTraceServiceResponse().SerializeToString())
        if signal == "/v1/metrics":
            points = list(metric_points_in(ExportMetricsServiceRequest.FromString(content)))
            self._keep(request, self._metrics, points)
            return bytes(ExportMetricsServiceResponse().SerializeToString())
        self._keep(request, self._logs, list(logs_in(ExportLogsServiceRequest.FromString(content))))
        return bytes(ExportLogsServiceResponse().SerializeToString())

    def _keep(self, request: OtlpRequest, records: list[Record], new: list[Record]) -> None:
        with self._changed:
            records.extend(new)
            self._requests.append(request)
            self._changed.notify_all()

    def _refuse(self, reason: str) -> None:
        with self._changed:
            self._refusals.append(reason)


class _Server(ThreadingHTTPServer):
    # Leaving waits for the requests under way; HTTP/1.0 leaves no idle connection to wait for.
    daemon_threads = False

    def __init__(self, receiver: OtlpReceiver) -> None:
        self.receiver = receiver
        super().__init__(ADDRESS, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    timeout = 10.0
    server: _Server

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """Tests read the records, nobody reads a log."""

    def handle(self) -> None:
        # A sender that leaves before its answer ends the connection and nothing else.
        with contextlib.suppress(OSError):
            super().handle()

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        content = self.rfile.read(int(headers.get("content-length", 0)))
        decompress = _DECOMPRESS.get(headers.get("content-encoding", "identity"))
        if self.path not in self.server.receiver.paths:
            self._refuse(404, f"OTLP has no path {self.path}")
        elif headers.get("content-type") != "application/x-protobuf" or decompress is None:
            self._refuse(415, f"{self.path}: not protobuf, or an unknown encoding: {headers}")
        else:
            try:
                content = decompress(content)
                answer = self.server.receiver._accept(OtlpRequest(self.path, headers, len(content)), content)
            except (DecodeError, EOFError, OSError, ValueError, zlib.error) as error:
                self._refuse(400, f"{self.path}: {error!r}")
            else:
                self._answer(200, answer)

    def _refuse(self, status: int, reason: str) -> None:
        self.server.receiver._refuse(reason)
        self._answer(status, b"")

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
