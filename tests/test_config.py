"""The library's options: read once, and whatever is wrong with one is told in a line that says what is right."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from opentelemetry.instrumentation.dspy.config import Options, console_shows

if TYPE_CHECKING:
    from conftest import StartTelemetry

PREFIX = "OTEL_INSTRUMENTATION_DSPY_"


def read(**variables: str) -> Options:
    return Options.read(environment={PREFIX + name: value for name, value in variables.items()})


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {record.levelno for record in caplog.records} <= {logging.WARNING}
    assert {record.name for record in caplog.records} <= {"opentelemetry.instrumentation.dspy.config"}
    return [record.getMessage() for record in caplog.records]


def test_without_variables_everything_has_its_default(caplog: pytest.LogCaptureFixture) -> None:
    options = Options.read(environment={"PATH": "/bin", "OTEL_SERVICE_NAME": "shop"})
    assert options == Options(content_max_length=16_384, optimizer_traces="auto", adapter_spans=False, redact=None)
    assert warnings(caplog) == []


def test_valid_values_are_taken_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    options = read(CONTENT_MAX_LENGTH=" 100 ", OPTIMIZER_TRACES="Nested", ADAPTER_SPANS="TRUE", OPENINFERENCE="true")
    assert options == Options(content_max_length=100, optimizer_traces="nested", adapter_spans=True, openinference=True)
    assert read(OPTIMIZER_TRACES="none", ADAPTER_SPANS="false") == Options(optimizer_traces="none")
    options = read(CONTENT_SPAN_MAX_LENGTH="5000", CONTENT_SPANS="Chat", STACK_TRACES="false")
    assert options == Options(content_span_max_length=5_000, content_spans="chat", stack_traces=False)
    assert (Options().content_span_max_length, Options().content_spans, Options().stack_traces) == (
        262_144,
        "all",
        True,
    )
    assert warnings(caplog) == []


def test_an_empty_variable_is_none(caplog: pytest.LogCaptureFixture) -> None:
    assert read(CONTENT_MAX_LENGTH="", OPTIMIZER_TRACES=" ", ADAPTER_SPANS="") == Options()
    assert warnings(caplog) == []


@pytest.mark.complaints
@pytest.mark.parametrize("value", ["0", "-5", "many", "1e3", "12.5", "9" * 5000])
def test_a_wrong_length_is_named_with_what_is_right_and_the_default_is_used(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert read(CONTENT_MAX_LENGTH=value, CONTENT_SPAN_MAX_LENGTH=value) == Options()
    assert warnings(caplog) == [
        f"OTEL_INSTRUMENTATION_DSPY_CONTENT_MAX_LENGTH='{value}' is not valid: it takes a whole number of characters "
        "above zero. The default, 16384, is used.",
        f"OTEL_INSTRUMENTATION_DSPY_CONTENT_SPAN_MAX_LENGTH='{value}' is not valid: it takes a whole number of "
        "characters above zero. The default, 262144, is used.",
    ]


@pytest.mark.complaints
def test_a_wrong_choice_is_named_with_the_right_ones_and_the_default_is_used(caplog: pytest.LogCaptureFixture) -> None:
    assert read(CONTENT_SPANS="some", OPTIMIZER_TRACES="all") == Options()
    assert warnings(caplog) == [
        "OTEL_INSTRUMENTATION_DSPY_CONTENT_SPANS='some' is not valid: it takes one of all, chat. "
        "The default, all, is used.",
        "OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES='all' is not valid: it takes one of auto, linked, nested, none. "
        "The default, auto, is used.",
    ]


@pytest.mark.complaints
def test_a_wrong_switch_is_named_with_the_right_ones_and_the_default_is_used(caplog: pytest.LogCaptureFixture) -> None:
    assert read(ADAPTER_SPANS="yes") == Options()
    assert warnings(caplog) == [
        "OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS='yes' is not valid: it takes true or false. "
        "The default, false, is used."
    ]


@pytest.mark.parametrize(("variable", "argument", "used"), [("true", False, False), ("false", True, True)])
def test_an_argument_goes_before_the_environment(variable: str, argument: bool, used: bool) -> None:
    environment = {PREFIX + "OPENINFERENCE": variable}
    assert Options.read(openinference=argument, environment=environment).openinference is used
    assert Options.read(environment=environment).openinference is (variable == "true")


@pytest.mark.complaints
def test_an_unknown_variable_is_named_with_those_that_there_are(caplog: pytest.LogCaptureFixture) -> None:
    assert read(CONTENT_MAXLENGTH="10", TURBO="on") == Options()
    options = (
        "Its options: "
        + ", ".join(
            f"OTEL_INSTRUMENTATION_DSPY_{name}"
            for name in (
                "ADAPTER_SPANS",
                "BAGGAGE",
                "BAGGAGE_METRICS",
                "BUDGET_USD",
                "CONSOLE",
                "CONTENT_MAX_LENGTH",
                "CONTENT_SPANS",
                "CONTENT_SPAN_MAX_LENGTH",
                "ERROR_MESSAGES",
                "METRIC_VALUES",
                "NOTICES",
                "OPENINFERENCE",
                "OPTIMIZER_TRACES",
                "PRICES",
                "PROPAGATE",
                "REDACT",
                "STACK_TRACES",
            )
        )
        + "."
    )
    no_effect = "is not an option of opentelemetry-instrumentation-dspy and has no effect."
    assert warnings(caplog) == [
        f"OTEL_INSTRUMENTATION_DSPY_CONTENT_MAXLENGTH {no_effect} "
        f"Did you mean OTEL_INSTRUMENTATION_DSPY_CONTENT_MAX_LENGTH? {options}",
        f"OTEL_INSTRUMENTATION_DSPY_TURBO {no_effect} {options}",
    ]


@pytest.mark.complaints
def test_switching_on_reads_the_environment_and_warns_once(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(PREFIX + "CONTENT_MAX_LENGTH", "many")
    start_telemetry()
    assert len(warnings(caplog)) == 1


def test_the_console_shows_the_tree_unless_something_else_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    def shows(text: str) -> set[str]:
        return set(console_shows({PREFIX + "CONSOLE": text}))

    assert set(console_shows({})) == shows("") == shows(" , ") == shows("Tree") == {"tree"}
    assert shows("content") == {"content"}
    assert shows(" ALL ,content") == {"all", "content"}
    assert read(CONSOLE="content") == Options()
    assert warnings(caplog) == []


@pytest.mark.complaints
@pytest.mark.parametrize("value", ["contents", "true", "content;all", "content,everything"])
def test_what_the_console_cannot_show_is_named_with_what_it_can(value: str, caplog: pytest.LogCaptureFixture) -> None:
    assert set(console_shows({PREFIX + "CONSOLE": value})) == {"tree"}
    assert warnings(caplog) == [
        f"OTEL_INSTRUMENTATION_DSPY_CONSOLE='{value}' is not valid: it takes one of tree, content, all, or several "
        "with commas. The default, tree, is used."
    ]
