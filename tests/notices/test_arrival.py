"""What keeps telemetry from arriving, or a tree from being printed, is told once, at the first call or tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from started import CALL, each_started

if TYPE_CHECKING:
    from started import Ended

SDK = """
import os
import sys

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

provider = TracerProvider()
trace.set_tracer_provider(provider)
"""

CONTENT = "os.environ['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT'] = 'SPAN_ONLY'\n"
TREE = "os.environ['OTEL_INSTRUMENTATION_DSPY_CONSOLE'] = 'tree'\n"
NAMED = "os.environ['OTEL_TRACES_EXPORTER'] = 'otlp, dspy_console'\n"
NO_OUTPUT = "sys.stdout = None\n"
METRICS = (
    "reader = PeriodicExportingMetricReader(OTLPMetricExporter('http://localhost:4318'))\n"
    "metrics.set_meter_provider(MeterProvider([reader]))\n"
)
TWICE = "DSPyInstrumentor().instrument()\ncall()\ncall()\n"


def printing(arguments: str = "") -> str:
    return f"provider.add_span_processor(SimpleSpanProcessor(DSPyConsoleSpanExporter({arguments})))\n"


def sending(endpoint: str) -> str:
    return f"provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter('{endpoint}')))\n"


TOLD = {
    "wrong port": SDK + sending("http://localhost:4318") + METRICS,
    "hidden content": SDK + CONTENT + printing(),
    "no output": SDK + printing() + NO_OUTPUT,
    "console not there": SDK + NAMED + sending("http://localhost:4317"),
}
SILENT = {
    "right port": SDK + sending("http://localhost:4317"),
    "another port": SDK + sending("http://localhost:9999"),
    "no content": SDK + printing(),
    "content not wanted": SDK + CONTENT + TREE + printing(),
    "content not wanted in code": SDK + CONTENT + printing("content=False"),
    "content shown": SDK + CONTENT + printing("content=True"),
    "console there": SDK + NAMED + sending("http://localhost:4317") + printing(),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    programs = {name: CALL + text + TWICE for name, text in (TOLD | SILENT).items()}
    return each_started(tmp_path_factory.mktemp("programs"), programs)


@pytest.mark.parametrize("name", SILENT)
def test_nothing_is_told_where_all_is_right(ended: dict[str, Ended], name: str) -> None:
    assert (ended[name].code, ended[name].errors) == (0, "")


def test_the_wrong_port_is_told_once_for_all_signals(ended: dict[str, Ended]) -> None:
    assert ended["wrong port"].errors.count("\n") == 1
    assert ended["wrong port"].notices == [
        "traces go to port 4318 by grpc, but http/protobuf is what usually answers there, so that nothing may arrive. "
        "Set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or send to port 4317; an exporter that is made in code is "
        "another class."
    ]


def test_content_that_the_console_does_not_print_is_told_of(ended: dict[str, Ended]) -> None:
    assert ended["hidden content"].errors.count("\n") == 1
    assert ended["hidden content"].notices == [
        "prompts and replies are recorded, and dspy_console prints none of them. Set "
        "OTEL_INSTRUMENTATION_DSPY_CONSOLE=content to see them, or OTEL_INSTRUMENTATION_DSPY_CONSOLE=tree to be told "
        "no more."
    ]


def test_a_closed_output_is_told_of_without_a_stack(ended: dict[str, Ended]) -> None:
    assert ended["no output"].errors.count("\n") == 1
    [line] = ended["no output"].notices
    assert line.startswith("dspy_console has nowhere to print, since standard output is closed")


def test_a_console_that_is_asked_for_and_not_there_is_told_of(ended: dict[str, Ended]) -> None:
    [line] = ended["console not there"].notices
    assert line.startswith("OTEL_TRACES_EXPORTER names dspy_console, but the tracer provider")
