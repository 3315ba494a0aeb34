"""Code interpreters that DSPy's modules use: those of DSPy, and classes that only the application knows."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.primitives.code_interpreter import CodeExecutionError, FinalOutput
from dspy.primitives.local_interpreter import LocalInterpreter
from interpreters import EXECUTION_ERROR, LOCAL, starts, writing
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

RLM_STEP = "Predict generate_action"


class InlineInterpreter:
    """An interpreter of the application's: it derives from nothing of DSPy's, and runs the code right here."""

    def __init__(self) -> None:
        self.tools: dict[str, Callable[..., Any]] = {}
        self.namespace: dict[str, Any] = {}

    def start(self) -> None:
        """There is nothing to start."""

    def execute(self, code: str, variables: dict[str, Any] | None = None) -> Any:
        submitted: list[Any] = []
        self.namespace.update(self.tools, **(variables or {}), SUBMIT=lambda **fields: submitted.append(fields))
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(code, self.namespace)
        except Exception as error:
            raise CodeExecutionError(f"{type(error).__name__}: {error}") from error
        return FinalOutput(submitted[-1]) if submitted else printed.getvalue()

    def shutdown(self) -> None:
        """There is nothing to stop."""


def test_a_recursive_language_model_is_one_tree_with_its_batched_queries(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    def explain(word: str) -> str:
        """Explain a word."""
        return f"{word} is a word"

    model_server.reply = writing(
        "meanings = llm_query_batched(['a', 'b', 'c'])\nprint(explain(word='tree'))",
        "print(1 / 0)",
        "SUBMIT(answer=meanings[0])",
    )
    rlm = dspy.RLM("question -> answer", tools=[explain], interpreter_factory=LocalInterpreter)
    rlm(question="Where?")
    assert telemetry.tree() == (
        "invoke_agent RLM\n"
        f"  {RLM_STEP}\n"
        "    chat gpt-4o-mini\n"
        f"  {LOCAL}\n"
        "    chat gpt-4o-mini\n"
        "    chat gpt-4o-mini\n"
        "    chat gpt-4o-mini\n"
        "    execute_tool explain\n"
        f"  {RLM_STEP}\n"
        "    chat gpt-4o-mini\n"
        f"  {LOCAL} [ERROR {EXECUTION_ERROR}: ZeroDivisionError: division by zero]\n"
        f"  {RLM_STEP}\n"
        "    chat gpt-4o-mini\n"
        f"  {LOCAL}"
    )
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    assert {attributes_of(span)["gen_ai.agent.name"] for span in telemetry.named(LOCAL)} == {"RLM"}
    [duration] = starts(telemetry.span("invoke_agent RLM"))
    assert duration > 0


async def test_an_asynchronous_recursive_language_model_has_the_same_tree(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = writing("SUBMIT(answer=llm_query_batched(['a', 'b'])[0])")
    await dspy.RLM("question -> answer", interpreter_factory=LocalInterpreter).acall(question="Where?")
    assert telemetry.tree() == (
        f"invoke_agent RLM\n  {RLM_STEP}\n    chat gpt-4o-mini\n  {LOCAL}\n    chat gpt-4o-mini\n    chat gpt-4o-mini"
    )


def test_what_dspy_sets_up_in_an_interpreter_is_not_recorded_as_the_models_code(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = writing("SUBMIT(answer='here')")
    dspy.RLM("question -> answer", interpreter_factory=LocalInterpreter)(question="Where?")
    assert json.loads(telemetry.attributes(LOCAL)["gen_ai.tool.call.arguments"])["code"] == "SUBMIT(answer='here')"
    assert "__dspy_host_token" not in telemetry.everything()


def test_an_interpreter_of_the_applications_own_is_found_where_a_module_uses_it(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = writing("text = llm_query(question)", "SUBMIT(answer=text)")
    prediction = dspy.RLM("question -> answer", interpreter_factory=InlineInterpreter)(question="Where?")
    assert prediction.answer.startswith("reply")
    assert telemetry.tree() == (
        "invoke_agent RLM\n"
        f"  {RLM_STEP}\n"
        "    chat gpt-4o-mini\n"
        "  execute_tool inline_interpreter\n"
        "    chat gpt-4o-mini\n"
        f"  {RLM_STEP}\n"
        "    chat gpt-4o-mini\n"
        "  execute_tool inline_interpreter"
    )


def test_the_class_of_such_an_interpreter_is_restored(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    before = dict(vars(InlineInterpreter))
    start_telemetry()
    model_server.reply = writing("SUBMIT(answer='here')")
    dspy.RLM("question -> answer", interpreter_factory=InlineInterpreter)(question="Where?")
    assert vars(InlineInterpreter)["execute"] is not before["execute"]
    DSPyInstrumentor().uninstrument()
    assert dict(vars(InlineInterpreter)) == before
    assert vars(InlineInterpreter)["execute"] is before["execute"]


@pytest.mark.filterwarnings("ignore:ProgramOfThought is deprecated")
def test_an_interpreter_that_is_given_with_the_call_is_found_too(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    class GivenInterpreter(InlineInterpreter):
        def execute(self, code: str, variables: dict[str, Any] | None = None) -> Any:
            return super().execute(code, variables)

    model_server.reply = writing("SUBMIT(answer='here')")
    dspy.ProgramOfThought("question -> answer")(GivenInterpreter(), question="Where?")
    assert telemetry.tree().count("execute_tool given_interpreter") == 1
    assert "execute_tool" in telemetry.tree()
