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
EVENTS = "os.environ['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT'] = 'EVENT_ONLY'\n"
NO_EVENTS = "os.environ['OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT'] = 'false'\n"
LOGS = (
    "from opentelemetry._logs import set_logger_provider\n"
    "from opentelemetry.sdk._logs import LoggerProvider\n"
    "from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor\n"
    "loggers = LoggerProvider()\n"
    "loggers.add_log_record_processor(SimpleLogRecordProcessor(InMemoryLogRecordExporter()))\n"
    "set_logger_provider(loggers)\n"
)
HOOK = (
    "class Hook:\n    def on_completion(self, **completion):\n        pass\n\n\n"
    "DSPyInstrumentor().instrument(completion_hook=Hook())\ncall()\nos._exit(0)\n"
)
LATE = "DSPyInstrumentor().instrument()\n" + CONTENT + TREE
UNASKED = (
    "DSPyInstrumentor().instrument()\n"
    "del os.environ['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT']\ncall()\nos._exit(0)\n"
)
LOG_IN_ORDER = "import logging.config\nlogging.config.dictConfig({'version': 1})\n"
KEEPING = LOG_IN_ORDER.replace("1}", "1, 'disable_existing_loggers': False}")
TWICE = "DSPyInstrumentor().instrument()\ncall()\ncall()\n"


def printing(arguments: str = "") -> str:
    return f"provider.add_span_processor(SimpleSpanProcessor(DSPyConsoleSpanExporter({arguments})))\n"


def sending(endpoint: str) -> str:
    return f"provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter('{endpoint}')))\n"


TOLD = {
    "wrong port": SDK + sending("http://localhost:4318") + METRICS,
    "hidden content": SDK + CONTENT + printing(),
    "no output": SDK + printing() + NO_OUTPUT,
    "content on events alone": SDK + EVENTS + printing(),
    "content on events that are off": SDK + EVENTS + NO_EVENTS + LOGS + printing(),
    "content asked for late": SDK + printing("content=False") + LATE + "call()\nos._exit(0)\n",
    "silenced exporter": SDK + sending("http://localhost:4317") + LOG_IN_ORDER,
    "console not there": SDK + NAMED + sending("http://localhost:4317"),
}
SILENT = {
    "right port": SDK + sending("http://localhost:4317"),
    "another port": SDK + sending("http://localhost:9999"),
    "no content": SDK + printing(),
    "content not wanted": SDK + CONTENT + TREE + printing(),
    "content not wanted in code": SDK + CONTENT + printing("content=False"),
    "content shown": SDK + CONTENT + printing("content=True"),
    "content on events": SDK + EVENTS + LOGS + printing(),
    "content for a hook": SDK + EVENTS + printing() + HOOK,
    "content on events, and printed": SDK + EVENTS.replace("EVENT_ONLY", "SPAN_AND_EVENT") + printing("content=True"),
    "content asked for and taken away": SDK + CONTENT + printing("content=False") + UNASKED,
    "log set up in order": SDK + sending("http://localhost:4317") + KEEPING,
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


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("content on events alone", "no log record is exported (OTEL_LOGS_EXPORTER, or a logger provider that is set "),
        ("content on events that are off", "OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT is false: "),
    ],
)
def test_content_that_is_for_events_which_nobody_gets_is_told_of(ended: dict[str, Ended], name: str, why: str) -> None:
    [line] = ended[name].notices
    assert line.startswith(f"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is EVENT_ONLY, and {why}")


def test_an_option_that_is_set_too_late_is_told_of(ended: dict[str, Ended]) -> None:
    [line] = ended["content asked for late"].notices
    assert line.startswith(
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: set after DSPy was instrumented, and so without effect"
    )


def test_an_exporter_that_cannot_say_what_went_wrong_is_told_of(ended: dict[str, Ended]) -> None:
    [line] = ended["silenced exporter"].notices
    assert line.startswith("this program's logging set-up has disabled the loggers of OTLPSpanExporter, so that")


def test_a_closed_output_is_told_of_without_a_stack(ended: dict[str, Ended]) -> None:
    assert ended["no output"].errors.count("\n") == 1
    [line] = ended["no output"].notices
    assert line.startswith("dspy_console has nowhere to print, since standard output is closed")


def test_a_console_that_is_asked_for_and_not_there_is_told_of(ended: dict[str, Ended]) -> None:
    [line] = ended["console not there"].notices
    assert line.startswith("OTEL_TRACES_EXPORTER names dspy_console, but the tracer provider")
