"""A program whose DSPy calls are recorded nowhere is told so, once, and one that listens is not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from started import BY_COMMAND, CALL, each_started, program, started

if TYPE_CHECKING:
    from pathlib import Path

    from started import Ended

INSTRUMENTED = "from opentelemetry.instrumentation.dspy import DSPyInstrumentor\n\nDSPyInstrumentor().instrument()\n"

SDK = """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
"""

LISTENING = """
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
trace.set_tracer_provider(provider)
"""

SAMPLED_OUT = LISTENING.replace("TracerProvider()", "TracerProvider(sampler=ALWAYS_OFF)")
ROOTS_SAMPLED_OUT = LISTENING.replace("TracerProvider()", "TracerProvider(sampler=ParentBased(ALWAYS_OFF))")
NO_ROOT_IN_A_SHARE = LISTENING.replace("TracerProvider()", "TracerProvider(sampler=ParentBased(TraceIdRatioBased(0)))")
SHUT_DOWN = LISTENING.replace("Simple", "Batch").replace("trace.set", "provider.shutdown()\ntrace.set")
BELOW = """
context = trace.SpanContext(1, 1, is_remote=True, trace_flags=trace.TraceFlags(1))
with trace.use_span(trace.NonRecordingSpan(context)):
    print(call())
    print(call())
"""
METRICS = "metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))\n"
TWICE = "print(call())\nprint(call())\n"
SCOPE = (
    "from opentelemetry.instrumentation.dspy import usage_scope\n"
    "with usage_scope() as usage:\n    print(call())\n    print(call())\n"
)
BROKEN = """
import sys


class Broken:
    def write(self, text):
        raise OSError

    flush = write


sys.stderr = Broken()
"""

NO_EXPORTERS = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}

NOTHING = "nothing of this program's DSPy calls is recorded"

TOLD = {
    "no provider": CALL + INSTRUMENTED + TWICE,
    "no processor": CALL + INSTRUMENTED + SDK + "trace.set_tracer_provider(TracerProvider())\n" + TWICE,
    "sampled out": CALL + INSTRUMENTED + SDK + SAMPLED_OUT + TWICE,
    "roots sampled out": CALL + INSTRUMENTED + SDK + ROOTS_SAMPLED_OUT + TWICE,
    "no root in a share": CALL + INSTRUMENTED + SDK + NO_ROOT_IN_A_SHARE + TWICE,
    "shut down": CALL + INSTRUMENTED + SDK + SHUT_DOWN + TWICE,
    "usage without instrumentation": CALL + SCOPE + "assert usage.lm_calls == 0\n",
}

SILENT = {
    "provider after instrument": CALL + INSTRUMENTED + SDK + LISTENING + TWICE,
    "provider before instrument": CALL + SDK + LISTENING + INSTRUMENTED + TWICE,
    "provider after a module": CALL + INSTRUMENTED + "dspy.Predict('a -> b')\n" + SDK + LISTENING + TWICE,
    "provider given": CALL
    + SDK
    + LISTENING.replace("trace.set", "#")
    + INSTRUMENTED.replace("instrument()", "instrument(tracer_provider=provider)")
    + TWICE,
    "metrics alone": CALL + INSTRUMENTED + SDK + METRICS + TWICE,
    "metrics of what is sampled out": CALL + INSTRUMENTED + SDK + SAMPLED_OUT + METRICS + TWICE,
    "metrics of roots that are sampled out": CALL + INSTRUMENTED + SDK + ROOTS_SAMPLED_OUT + METRICS + TWICE,
    "below a sampled span": CALL + INSTRUMENTED + SDK + ROOTS_SAMPLED_OUT + BELOW,
    "empty provider on purpose": CALL
    + INSTRUMENTED
    + SDK
    + "trace.set_tracer_provider(trace.NoOpTracerProvider())\n"
    + TWICE,
    "usage alone": CALL + INSTRUMENTED + SCOPE + "assert usage.lm_calls == 2\n",
    "usage after uninstrument": CALL + INSTRUMENTED + "DSPyInstrumentor().uninstrument()\n" + SCOPE,
    "uninstrument amid usage": CALL
    + INSTRUMENTED
    + SCOPE.replace("print(call())\n    ", "print(call())\n    DSPyInstrumentor().uninstrument()\n    ")
    + "assert usage.lm_calls == 1\n",
    "broken standard error": CALL + INSTRUMENTED + BROKEN + TWICE,
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    return each_started(tmp_path_factory.mktemp("programs"), TOLD | SILENT)


@pytest.mark.parametrize("name", [*TOLD, *SILENT])
def test_the_program_does_what_it_did(ended: dict[str, Ended], name: str) -> None:
    assert (ended[name].code, ended[name].output) == (0, "In Africa.\nIn Africa.\n"), ended[name].errors


@pytest.mark.parametrize("name", SILENT)
def test_whoever_listens_is_told_nothing(ended: dict[str, Ended], name: str) -> None:
    assert ended[name].errors == ""


def test_without_a_provider_it_says_once_what_to_do(ended: dict[str, Ended]) -> None:
    assert ended["no provider"].notices == [
        f"no tracer provider is set, so that {NOTHING}. Start the program with opentelemetry-instrument, or call "
        "opentelemetry.trace.set_tracer_provider() before its first DSPy call."
    ]


def test_a_provider_without_a_processor_is_told_of(ended: dict[str, Ended]) -> None:
    [line] = ended["no processor"].notices

    assert line.startswith("the tracer provider has no span processor")


def test_a_sampler_that_takes_nothing_is_told_of(ended: dict[str, Ended]) -> None:
    [line] = ended["sampled out"].notices

    assert line.startswith("the sampler takes no span and no metric is exported")


@pytest.mark.parametrize("name", ["roots sampled out", "no root in a share"])
def test_a_sampler_that_takes_no_trace_of_the_program_s_own_is_told_of(ended: dict[str, Ended], name: str) -> None:
    [line] = ended[name].notices

    assert line.startswith("the sampler takes no trace that begins in this program and no metric is exported")


def test_a_provider_that_is_shut_down_is_told_of(ended: dict[str, Ended]) -> None:
    [line] = ended["shut down"].notices

    assert line.startswith("the tracer provider was shut down before this program's first DSPy call")


def test_usage_that_nobody_counts_is_told_of(ended: dict[str, Ended]) -> None:
    [line] = ended["usage without instrumentation"].notices

    assert line.startswith("usage_scope() counts nothing in this process, since DSPy is not instrumented in it.")


def test_variables_that_nobody_reads_are_named(tmp_path: Path) -> None:
    programs = {"asked": CALL + INSTRUMENTED + TWICE}
    [line] = each_started(tmp_path, programs, OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:4317")["asked"].notices

    assert line.endswith("before its first DSPy call; OTEL_EXPORTER_OTLP_ENDPOINT alone sets nothing up.")


def test_the_option_keeps_every_line_back(tmp_path: Path) -> None:
    ended = each_started(tmp_path, TOLD, OTEL_INSTRUMENTATION_DSPY_NOTICES="false")

    assert {name: one.errors for name, one in ended.items()} == dict.fromkeys(TOLD, "")


def by_command(folder: Path, **variables: str) -> list[str]:
    ended = started(BY_COMMAND, sys.executable, program(folder, CALL + TWICE), folder=folder, **variables)
    assert (ended.code, ended.output) == (0, "In Africa.\nIn Africa.\n"), ended.errors
    return ended.notices


@pytest.mark.parametrize("names", ["dspy", "redis, dspy", "*"])
def test_usage_that_a_variable_leaves_uncounted_is_told_of_by_its_name(tmp_path: Path, names: str) -> None:
    text = CALL + SCOPE + "assert usage.lm_calls == 0\n"
    ended = started(
        BY_COMMAND,
        sys.executable,
        program(tmp_path, text),
        folder=tmp_path,
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=names,
        **NO_EXPORTERS,
    )
    assert ended.code == 0, ended.errors
    assert ended.notices == [
        "usage_scope() counts nothing in this process, since OTEL_PYTHON_DISABLED_INSTRUMENTATIONS leaves DSPy out. "
        "Change that variable if usage is to be counted."
    ]


def test_a_disabled_sdk_is_told_of(tmp_path: Path) -> None:
    [line] = by_command(tmp_path, OTEL_SDK_DISABLED="true")

    assert line.startswith("OTEL_SDK_DISABLED is true: nothing of this program's DSPy calls is recorded")


def test_exporters_that_are_all_none_are_told_of(tmp_path: Path) -> None:
    [line] = by_command(tmp_path, **NO_EXPORTERS)

    assert line == (
        "nothing of this program's DSPy calls is exported, since OTEL_TRACES_EXPORTER=none and "
        "OTEL_METRICS_EXPORTER=none. Name an exporter, such as otlp."
    )
