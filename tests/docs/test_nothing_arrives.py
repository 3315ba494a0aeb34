"""What exporters say when nothing arrives is what the page tells to look for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from otlp_receiver import OtlpReceiver
from pages import ROOT
from started import BY_COMMAND, CALL, program, started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opentelemetry.sdk.trace.export import SpanExporter

LOGGING = "opentelemetry.instrumentation.logging"


@pytest.mark.complaints
@pytest.mark.parametrize(
    ("exporter", "words"),
    [
        (lambda receiver: GrpcExporter(endpoint=receiver.endpoint, timeout=1), "Failed parsing HTTP/2"),
        (lambda receiver: HttpExporter(endpoint="http://127.0.0.1:9/v1/traces", timeout=3), "Connection refused"),
        (lambda receiver: HttpExporter(endpoint=f"{receiver.endpoint}/", timeout=1), "404"),
    ],
)
def test_an_exporter_says_what_the_page_names(
    exporter: Callable[[OtlpReceiver], SpanExporter], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    page = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    assert f"`{words}`" in page.partition("## Nothing arrives")[2]
    with OtlpReceiver() as receiver:
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter(receiver)))
        provider.get_tracer("a program").start_span("a call").end()
        provider.shutdown()
        assert words in caplog.text


@pytest.mark.parametrize("correlated", [False, True])
def test_beside_the_instrumentation_of_logging_an_exporter_says_it_where_the_page_tells(
    correlated: bool, tmp_path: Path
) -> None:
    pytest.importorskip(LOGGING, reason="On the first releases of Python 3.12 it is not installed (pyproject.toml).")
    ended = started(
        BY_COMMAND,
        sys.executable,
        program(tmp_path, CALL + "print(call())\n"),
        folder=tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        OTEL_PYTHON_LOG_CORRELATION=str(correlated).lower(),
    )
    assert (ended.code, ended.output) == (0, "In Africa.\n")
    # With how long it tried it also says why, or that there was no more time.
    assert ("opentelemetry.exporter.otlp" in ended.errors) is correlated
