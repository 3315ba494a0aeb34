"""Code interpreters: DSPy's own and the application's, the code that they run and the tools that it calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.primitives.code_interpreter import CodeExecutionError, CodeInterpreterError
from dspy.primitives.local_interpreter import LocalInterpreter
from interpreters import EXECUTION_ERROR, LOCAL, seconds, starts
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import telemetry_context
from opentelemetry.instrumentation.dspy.recorders.interpreter import interpreter_name

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from recorded import Recorded


def test_each_execution_is_a_tool_span(telemetry: Recorded) -> None:
    with LocalInterpreter() as interpreter:
        assert interpreter.execute("print(1 + 2)") == "3"
        assert interpreter("4 * 5") == 20
    assert telemetry.tree() == f"{LOCAL}\n{LOCAL}"
    assert attributes_of(telemetry.spans[0]) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "local_interpreter",
        "gen_ai.tool.type": "extension",
    }
    [point] = telemetry.metric_points("gen_ai.execute_tool.duration")
    assert dict(point.attributes or {}) == {
        "gen_ai.tool.name": "local_interpreter",
        "gen_ai.tool.type": "extension",
    }
    assert point.count == 2


def test_code_variables_and_result_are_content(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    with LocalInterpreter(output_fields=[{"name": "answer"}]) as interpreter:
        interpreter.execute("print(word * 2)", {"word": "ab"})
        interpreter.execute("SUBMIT(answer=7)")
    printed, submitted = (attributes_of(span) for span in telemetry.spans)
    assert json.loads(printed["gen_ai.tool.call.arguments"]) == {"code": "print(word * 2)", "variables": {"word": "ab"}}
    assert printed["gen_ai.tool.call.result"] == "abab"
    assert json.loads(submitted["gen_ai.tool.call.arguments"]) == {"code": "SUBMIT(answer=7)"}
    assert json.loads(submitted["gen_ai.tool.call.result"]) == {"answer": 7}


def test_code_is_redacted_like_all_content(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY", redact=lambda text, kind: text.replace("secret", f"[{kind}]"))
    with LocalInterpreter() as interpreter:
        interpreter.execute("print('secret')")
    assert "secret" not in telemetry.everything()
    assert telemetry.attributes(LOCAL)["gen_ai.tool.call.result"] == "[tool]"


@pytest.mark.parametrize(
    ("code", "error", "name"),
    [
        ("1 / 0", CodeExecutionError, EXECUTION_ERROR),
        ("1 +", SyntaxError, "SyntaxError"),
    ],
)
def test_code_that_fails_is_a_failed_span(telemetry: Recorded, code: str, error: type[Exception], name: str) -> None:
    with LocalInterpreter() as interpreter, pytest.raises(error):
        interpreter.execute(code)
    assert telemetry.attributes(LOCAL)["error.type"] == name


def test_the_start_is_an_event_of_the_execution_that_had_to_wait_for_it(telemetry: Recorded) -> None:
    interpreter = LocalInterpreter()
    interpreter.execute("1")
    interpreter.execute("2")
    interpreter.shutdown()
    first, second = telemetry.spans
    [duration] = starts(first)
    assert 0 < duration < seconds(first)
    assert starts(second) == []


def test_a_start_ahead_of_the_first_execution_is_an_event_of_the_module(telemetry: Recorded) -> None:
    class Calculator(dspy.Module):
        def forward(self, code: str) -> Any:
            with LocalInterpreter() as interpreter:
                interpreter.start()
                return interpreter.execute(code)

    Calculator()(code="6 * 7")
    assert telemetry.tree() == f"invoke_workflow Calculator\n  {LOCAL}"
    module, execution = telemetry.spans
    [duration] = starts(module)
    assert 0 < duration < seconds(module)
    assert starts(execution) == []


def test_an_interpreter_that_cannot_start_is_a_failed_span_without_the_event(
    telemetry: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(CodeInterpreterError, match="Unable to start"):
        LocalInterpreter().execute("1")
    span = telemetry.span(LOCAL)
    assert attributes_of(span)["error.type"] == "dspy.primitives.code_interpreter.CodeInterpreterError"
    assert starts(span) == []


def test_tools_that_the_code_calls_are_below_its_span(telemetry: Recorded, lm: dspy.LM) -> None:
    def explain(word: str) -> str:
        """Explain a word."""
        return str(dspy.Predict("word -> meaning")(word=word).meaning)

    with LocalInterpreter(tools={"explain": dspy.Tool(explain)}) as interpreter:
        interpreter.execute("explain(word='tree')")
    assert telemetry.tree() == (f"{LOCAL}\n  execute_tool explain\n    Predict word -> meaning\n      chat gpt-4o-mini")


def test_attributes_of_the_application_are_on_the_span(telemetry: Recorded) -> None:
    with (
        telemetry_context(conversation_id="c-42", attributes={"user.id": "u-7"}),
        LocalInterpreter() as interpreter,
    ):
        interpreter.execute("1")
    attributes = telemetry.attributes(LOCAL)
    assert attributes["gen_ai.conversation.id"] == "c-42"
    assert attributes["user.id"] == "u-7"


def test_an_override_that_calls_super_is_one_span(telemetry: Recorded) -> None:
    class LoudInterpreter(LocalInterpreter):
        def execute(self, code: str, variables: dict[str, Any] | None = None) -> Any:
            return super().execute(f"{code}\nprint('!')", variables)

    with LoudInterpreter() as interpreter:
        interpreter.execute("print('a')")
    assert telemetry.tree() == "execute_tool loud_interpreter"


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("PythonInterpreter", "python_interpreter"),
        ("LocalInterpreter", "local_interpreter"),
        ("E2BSandbox", "e2b_sandbox"),
        ("Python3Interpreter", "python3_interpreter"),
        ("HTTPInterpreter", "http_interpreter"),
        ("interpreter", "interpreter"),
    ],
)
def test_a_tool_is_called_after_the_class_of_its_interpreter(class_name: str, name: str) -> None:
    assert interpreter_name(class_name) == name
