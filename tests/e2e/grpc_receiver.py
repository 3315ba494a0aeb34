"""An OTLP/gRPC receiver on a free loopback port: what a Collector's port 4317 takes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from otlp_records import SpanRecord, spans_in

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["GrpcReceiver"]


class GrpcReceiver:
    """Receives while it is entered as a context manager; ``spans`` are in the order of their arrival."""

    def __init__(self) -> None:
        self.spans: list[SpanRecord] = []
        self._server = grpc.server(ThreadPoolExecutor(3))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(self.spans), self._server)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(), self._server)
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(_Logs(), self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def endpoint(self) -> str:
        """The address for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> GrpcReceiver:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, spans: list[SpanRecord]) -> None:
        self._spans = spans

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name is the protocol's
        self._spans.extend(spans_in(request))
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        return metrics_service_pb2.ExportMetricsServiceResponse()


class _Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        return logs_service_pb2.ExportLogsServiceResponse()
