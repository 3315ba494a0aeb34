"""What Prometheus' OTLP receiver does with the start of a series, for a store that does not.

With `created-timestamp-zero-ingestion` (docker-compose.yml) Prometheus writes a zero at the moment when a counter
began. Without that zero `increase()` does not see what a series begins with, which is all that a short program sends.
"""

from __future__ import annotations

import gzip
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from loopback import ADDRESS, LoopbackServer
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ZeroStart"]


class ZeroStart(LoopbackServer):
    """Passes OTLP metrics on to a store, and sends a zero ahead of each series that is new."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._known: set[tuple[bytes, str, bytes]] = set()
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    content = gzip.decompress(content)
                relay._pass_on(ExportMetricsServiceRequest.FromString(content))
                reply = ExportMetricsServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *values: object) -> None:
                pass

        super().__init__(ThreadingHTTPServer(ADDRESS, Handler), "zero-start")

    @property
    def endpoint(self) -> str:
        """The address for `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`."""
        return f"http://{self.host}:{self.port}/v1/metrics"

    def _pass_on(self, request: ExportMetricsServiceRequest) -> None:
        zeros = ExportMetricsServiceRequest()
        zeros.CopyFrom(request)
        for resource, metric, points in _counters(zeros):
            new = [point for point in points if self._is_new(resource, metric, point)]
            for point in new:
                _begin(point)
            del points[:]
            points.extend(new)
        for part in (zeros, request):
            headers = {"Content-Type": "application/x-protobuf"}
            sent = urllib.request.Request(self._target, part.SerializeToString(), headers)
            urllib.request.urlopen(sent, timeout=110).close()

    def _is_new(self, resource: bytes, metric: str, point: Any) -> bool:
        attributes = b"".join(sorted(one.SerializeToString() for one in point.attributes))
        key = (resource, metric, attributes)
        if key in self._known:
            return False
        self._known.add(key)
        return True


def _counters(request: Any) -> Iterator[tuple[bytes, str, Any]]:
    """Yield resource, name and points of all counters and histograms, after taking all gauges out."""
    for resource_metrics in request.resource_metrics:
        resource = resource_metrics.resource.SerializeToString()
        for scope_metrics in resource_metrics.scope_metrics:
            counters = [metric for metric in scope_metrics.metrics if metric.WhichOneof("data") != "gauge"]
            del scope_metrics.metrics[:]
            scope_metrics.metrics.extend(counters)
            for metric in scope_metrics.metrics:
                yield resource, metric.name, getattr(metric, metric.WhichOneof("data")).data_points


def _begin(point: Any) -> None:
    """Make a point what it was when its series began."""
    point.time_unix_nano = point.start_time_unix_nano
    del point.exemplars[:]
    if hasattr(point, "bucket_counts"):
        point.count, point.sum = 0, 0.0
        point.bucket_counts[:] = [0] * len(point.bucket_counts)
        point.ClearField("min")
        point.ClearField("max")
    else:
        point.ClearField("value")
        point.as_double = 0.0
