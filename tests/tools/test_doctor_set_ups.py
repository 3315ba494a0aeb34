"""What the doctor says of set-ups that name what there is not, sample, or are made in code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from doctor_runs import HTTP, TRACES_ALONE, changes, doctor
from otlp_receiver import OtlpReceiver

if TYPE_CHECKING:
    from pathlib import Path

CONSOLE = {**TRACES_ALONE, "OTEL_TRACES_EXPORTER": "dspy_console"}


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("OTEL_TRACES_EXPORTER", "dspy_consol", "Correct OTEL_TRACES_EXPORTER. Did you mean dspy_console? Installed: "),
        ("OTEL_LOGS_EXPORTER", "splunk", "Correct OTEL_LOGS_EXPORTER, or install the package that brings splunk."),
        (
            "OTEL_PYTHON_ID_GENERATOR",
            "dspy_system_randm",
            "Correct OTEL_PYTHON_ID_GENERATOR. Did you mean dspy_system_random? Installed: dspy_system_random, random.",
        ),
        ("OTEL_TRACES_SAMPLER", "alwys_on", "Correct OTEL_TRACES_SAMPLER. Did you mean always_on? Installed: "),
        ("OTEL_BSP_SCHEDULE_DELAY", "5s", "Correct OTEL_BSP_SCHEDULE_DELAY."),
    ],
)
def test_a_name_that_there_is_not_is_told_with_its_variable_and_the_right_one(
    tmp_path: Path, variable: str, value: str, remedy: str
) -> None:
    ended = doctor(tmp_path, **{**CONSOLE, variable: value})

    [change] = changes(ended)
    said, _, to_do = change.partition(" -> ")
    assert value in said
    assert to_do.startswith(remedy)


@pytest.mark.parametrize("headers", ["X Key=pw12", "authorization: Bearer violet-harbour"])
def test_headers_that_are_written_wrong_are_not_shown(tmp_path: Path, headers: str) -> None:
    with OtlpReceiver() as receiver:
        options = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_EXPORTER_OTLP_HEADERS": headers}
        ended = doctor(tmp_path, **HTTP, **options)

    [change] = changes(ended)
    assert change.partition(" -> ")[2].startswith("Write OTEL_EXPORTER_OTLP_HEADERS as name=value")
    assert [part for part in ("pw12", "violet", "harbour") if part in ended.output] == []


@pytest.mark.parametrize("sampler", ["traceidratio", "parentbased_traceidratio"])
def test_a_share_of_the_traces_is_right_whichever_call_it_takes(tmp_path: Path, sampler: str) -> None:
    with OtlpReceiver() as receiver:
        ended = doctor(
            tmp_path,
            **HTTP,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_TRACES_SAMPLER=sampler,
            OTEL_TRACES_SAMPLER_ARG="0.000001",
        )

    assert (ended.code, changes(ended)) == (0, [])
    assert "has taken a second call, and left out the first" in " ".join(ended.output.split())
    assert {span.name for span in receiver.spans} == {"chat dummy", "Predict question -> answer"}


def test_a_sampler_that_takes_no_trace_of_the_program_s_own_is_told_and_can_be_meant(tmp_path: Path) -> None:
    with OtlpReceiver() as receiver:
        ended = doctor(
            tmp_path,
            **HTTP,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_TRACES_SAMPLER="parentbased_always_off",
        )

    assert (ended.code, changes(ended)) == (0, [])
    said = " ".join(ended.output.split())
    assert "takes no trace that begins in the program; a second call, below a span of another process, it has" in said


def test_a_sampler_that_takes_nothing_is_to_be_changed(tmp_path: Path) -> None:
    ended = doctor(tmp_path, **CONSOLE, OTEL_TRACES_SAMPLER="always_off")

    assert changes(ended) == [
        "traces: the sampler takes no span -> Set OTEL_TRACES_SAMPLER to another one, or leave it out."
    ]


CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
HOOK = "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK"
NO_LOGS = "no log record is exported (OTEL_LOGS_EXPORTER, or a logger provider that is set in code)"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {CAPTURE: "EVENT_ONLY"},
            [f"log events are to have it alone, and {NO_LOGS} -> Change that, or set {CAPTURE}=SPAN_ONLY."],
        ),
        ({CAPTURE: "SPAN_AND_EVENT"}, []),
        (
            {CAPTURE[:-1]: "SPAN_ONLY"},
            [f"{CAPTURE[:-1]} is not an option and has no effect. -> Did you mean {CAPTURE}?"],
        ),
        (
            {HOOK: "uplod"},
            [
                f"the completion hook uplod gets nothing: uplod is not a valid option for {HOOK}. Must be one of "
                f"upload. Using noop. -> Correct {HOOK}, or what the hook needs."
            ],
        ),
        (
            {"OTEL_INSTRUMENTATION_DSPY_BUDGET_USD": "five"},
            [
                "OTEL_INSTRUMENTATION_DSPY_BUDGET_USD='five' is not valid -> It takes a number of US dollars from zero "
                "up. This process has NO budget."
            ],
        ),
    ],
    ids=["events alone", "events too", "misspelt", "hook", "budget"],
)
def test_an_option_that_does_nothing_is_to_be_changed(
    tmp_path: Path, variables: dict[str, str], expected: list[str]
) -> None:
    ended = doctor(tmp_path, **CONSOLE, **variables)

    assert changes(ended) == expected
    if not expected:
        assert f"no log event brings it anywhere: {NO_LOGS}" in " ".join(ended.output.split())


IN_CODE = """
import logging.config
import os
import sys

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def of_its_own():
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(os.environ["BACKEND"])))
    DSPyInstrumentor().instrument(tracer_provider=provider)


def without_a_provider():
    DSPyInstrumentor().instrument()


def without_a_processor():
    DSPyInstrumentor().instrument(tracer_provider=TracerProvider())


def with_a_log_elsewhere():
    logging.basicConfig(filename="shop.log")
    of_its_own()


def with_a_log_in_order():
    logging.config.dictConfig({"version": 1})
    of_its_own()


def that_exits():
    sys.exit("the database is not there")
"""


def test_a_provider_that_instrument_was_given_is_the_one_that_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(IN_CODE)
    with OtlpReceiver() as receiver:
        ended = doctor(tmp_path, "--setup", "shop:of_its_own", BACKEND=f"{receiver.endpoint}/v1/traces")

    assert (ended.code, changes(ended)) == (0, [])
    assert {span.name for span in receiver.spans} == {"chat dummy", "Predict question -> answer"}


@pytest.mark.parametrize(
    ("function", "change"),
    [
        (
            "without_a_provider",
            "traces: no provider is set -> Call trace.set_tracer_provider() in that function, or give instrument() a "
            "tracer_provider.",
        ),
        (
            "without_a_processor",
            "traces: not exported -> Give the provider a processor, such as BatchSpanProcessor(OTLPSpanExporter()).",
        ),
        (
            "that_exits",
            "shop:that_exits failed: SystemExit: the database is not there -> Name a function that sets the providers "
            "up and takes no arguments.",
        ),
    ],
)
def test_what_a_function_leaves_out_is_told(tmp_path: Path, function: str, change: str) -> None:
    (tmp_path / "shop.py").write_text(IN_CODE)
    ended = doctor(tmp_path, "--setup", f"shop:{function}")

    assert (ended.code, changes(ended)) == (1, [change])


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("with_a_log_elsewhere", "what exporters log of their failures is not shown on standard error: it goes to "),
        (
            "with_a_log_in_order",
            "what exporters log of their failures is told nowhere: the logging set-up has disabled",
        ),
        ("of_its_own", ""),
    ],
)
def test_failures_that_nobody_will_see_are_told_of(tmp_path: Path, function: str, said: str) -> None:
    (tmp_path / "shop.py").write_text(IN_CODE)
    with OtlpReceiver() as receiver:
        ended = doctor(tmp_path, "--setup", f"shop:{function}", BACKEND=f"{receiver.endpoint}/v1/traces")

    assert (ended.code, changes(ended)) == (0, [])
    told = " ".join(ended.output.split())
    assert said in told
    assert ("what exporters log" in told) is bool(said)
