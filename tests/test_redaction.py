"""A redaction is in force from the moment it is given, or nothing is recorded and somebody is told."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from opentelemetry.trace import NoOpTracerProvider
from parameter_names import name_of_value

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartTelemetry

REDACT = "OTEL_INSTRUMENTATION_DSPY_REDACT"
QUESTION = "Where does Ann live?"


def hide(text: str, kind: str) -> str:
    return text.replace("Ann", "[name]")


def ask() -> None:
    with dspy.context(lm=DummyLM([{"answer": "Ann lives in Rome"}])):
        dspy.Predict("question -> answer")(question=QUESTION)


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("redactor", "redact"),
        ("redaction", "redact"),
        ("tracer", "tracer_provider"),
        ("metric_provider", "meter_provider"),
    ],
)
def test_an_argument_that_there_is_not_is_refused_with_the_nearest_one(given: str, nearest: str) -> None:
    with pytest.raises(TypeError, match=rf"has no argument '{given}'\. Did you mean '{nearest}'\? Its arguments: "):
        DSPyInstrumentor().instrument(**{given: hide})
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry


def test_a_redaction_that_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="redact= takes a function"):
        DSPyInstrumentor().instrument(redact="hide")
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry


async def hide_later(text: str, kind: str) -> str:
    return text


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("redact", hide_later),
        ("tracer_provider", 5),
        ("meter_provider", "x"),
        ("logger_provider", {}),
        ("completion_hook", 5),
    ],
)
def test_an_argument_of_a_wrong_kind_is_refused(argument: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{argument}= takes "):
        DSPyInstrumentor().instrument(**{argument: value})
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry


def test_a_redaction_that_asks_a_language_model_itself_comes_to_an_end(start_telemetry: StartTelemetry) -> None:
    asked: list[str] = []

    def ask_about(text: str, kind: str) -> str:
        asked.append(text)
        with dspy.context(lm=DummyLM([{"answer": "yes"}])):
            dspy.Predict("question -> answer")(question=text)
        return "hidden"

    telemetry = start_telemetry(capture="SPAN_ONLY", redact=ask_about)
    ask()
    assert "Ann" not in telemetry.everything()
    assert len(telemetry.named("chat dummy")) == 1
    assert len(asked) < 20


@pytest.mark.complaints
@pytest.mark.parametrize("returned", [None, b"bytes", ("a", "b"), object()], ids=name_of_value)
def test_what_a_redaction_returns_that_is_no_text_is_not_recorded(
    start_telemetry: StartTelemetry, returned: object
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", redact=lambda text, kind: returned)
    ask()
    assert "[content dropped: the redaction function failed]" in telemetry.everything()
    assert "Ann" not in telemetry.everything()


@pytest.mark.complaints
def test_a_redaction_that_wants_to_exit_does_not_end_the_program(start_telemetry: StartTelemetry) -> None:
    def leave(text: str, kind: str) -> str:
        raise SystemExit(3)

    telemetry = start_telemetry(capture="SPAN_ONLY", redact=leave)
    ask()
    assert "Ann" not in telemetry.everything()


def test_a_redaction_that_is_given_later_takes_effect(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_AND_EVENT")
    ask()
    assert "Ann" in telemetry.everything()
    telemetry.clear()
    DSPyInstrumentor().instrument(redact=hide)
    ask()
    assert telemetry.named("chat dummy") != []
    assert "Ann" not in telemetry.everything()
    assert "[name] lives in Rome" in telemetry.everything()


@pytest.mark.parametrize("redact", [lambda text: text, lambda: "", lambda text, *, kind: text, str.upper])
def test_a_redaction_that_takes_no_text_and_kind_is_refused(redact: Any) -> None:
    with pytest.raises(TypeError, match=r"a text and its kind .*def redact\(text, kind\)"):
        DSPyInstrumentor().instrument(redact=redact)
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry


@pytest.mark.complaints
def test_what_else_is_given_later_has_no_effect_and_is_named(
    start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = start_telemetry()
    DSPyInstrumentor().instrument(redact=hide, tracer_provider=NoOpTracerProvider())
    assert [record.getMessage() for record in caplog.records] == [
        "DSPy is instrumented already: redact is in force from now on, and tracer_provider had no effect. Call "
        "uninstrument() first to instrument it in another way."
    ]
    ask()
    assert telemetry.named("chat dummy") != []


def test_a_redaction_stays_when_somebody_instruments_without_one(
    start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", redact=hide)
    with caplog.at_level(logging.CRITICAL, logger="opentelemetry.instrumentation.instrumentor"):
        DSPyInstrumentor().instrument()
    ask()
    assert "Ann" not in telemetry.everything()


def test_what_remains_of_an_error_passes_the_redaction_too(start_telemetry: StartTelemetry) -> None:
    seen: list[str] = []

    def note(text: str, kind: str) -> str:
        seen.append(kind)
        return text.replace("seven", "[number]")

    class Failing(dspy.Module):
        def forward(self) -> None:
            raise RuntimeError("gate seven is closed")

    telemetry = start_telemetry(redact=note)
    with pytest.raises(RuntimeError):
        Failing()()
    assert telemetry.span("invoke_workflow Failing").status.description == "gate [number] is closed"
    # The message, and the stack.
    assert seen == ["error", "error"]


@pytest.mark.complaints
def test_a_redaction_that_fails_puts_nothing_into_our_own_log(
    start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(text: str, kind: str) -> str:
        raise ValueError(f"cannot redact {text}")

    telemetry = start_telemetry(capture="SPAN_ONLY", redact=fail)
    ask()
    assert "Ann" not in telemetry.everything()
    formatted = "\n".join(logging.Formatter().format(record) for record in caplog.records)
    assert "The redact function failed" in formatted
    assert "Ann" not in formatted


def test_error_texts_can_be_left_out(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(dspy.Module):
        def forward(self) -> None:
            raise RuntimeError("gate seven is closed")

    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_ERROR_MESSAGES", "false")
    telemetry = start_telemetry()
    with pytest.raises(RuntimeError):
        Failing()()
    span = telemetry.span("invoke_workflow Failing")
    assert not span.status.description
    assert telemetry.attributes("invoke_workflow Failing")["error.type"] == "RuntimeError"


PROGRAM = """
import json, sys
import dspy
from dspy.utils import DummyLM
from opentelemetry import trace

def hide(text, kind):
    return text.replace("Ann", "[name]")

{before}
with dspy.context(lm=DummyLM([{{"answer": "Ann lives in Rome"}}])):
    dspy.Predict("question -> answer")(question="Where does Ann live?")
trace.get_tracer_provider().force_flush()
"""


def zero_code(folder: Path, name: str, before: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "privacy.py").write_text("def hide(text, kind):\n    return text.replace('Ann', '[name]')\n")
    (folder / "leaving.py").write_text("import sys\nsys.exit(3)\n")
    (folder / "program.py").write_text(textwrap.dedent(PROGRAM).format(before=before))
    instrument = os.path.join(os.path.dirname(sys.executable), "opentelemetry-instrument")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]),
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
    }
    if name:
        environment[REDACT] = name
    return subprocess.run(
        [instrument, sys.executable, "program.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )


@pytest.mark.parametrize("name", ["privacy:hide", "program:hide"], ids=["a module", "the program itself"])
def test_a_redaction_can_be_named_in_the_environment(tmp_path: Path, name: str) -> None:
    ended = zero_code(tmp_path, name)
    assert "[name] lives in Rome" in ended.stdout
    assert "Ann" not in ended.stdout


def test_without_code_a_redaction_can_still_be_given_in_the_program(tmp_path: Path) -> None:
    late = "from opentelemetry.instrumentation.dspy import DSPyInstrumentor; DSPyInstrumentor().instrument(redact=hide)"
    ended = zero_code(tmp_path, "", before=late)
    assert "[name] lives in Rome" in ended.stdout
    assert "Ann" not in ended.stdout


@pytest.mark.parametrize(
    "name", ["privacy", "privacy:missing", "no_such_module:hide", "privacy:__doc__", ":", "leaving:hide"]
)
def test_a_name_that_cannot_be_loaded_records_no_content_and_says_why_once(tmp_path: Path, name: str) -> None:
    ended = zero_code(tmp_path, name)
    assert "chat dummy" in ended.stdout
    assert "Ann" not in ended.stdout
    assert "gen_ai.output.messages" not in ended.stdout
    assert ended.stderr.count(f"{REDACT}={name} could not be loaded") == 1
    assert "package.module:function" in ended.stderr
