"""Spans of agents: why their loops end."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from agent_replies import calls, in_turn, step
from model_server import Failure, ToolCall

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded

REASON = "dspy.agent.termination_reason"


def search(query: str, limit: int = 3) -> str:
    """Look something up."""
    return f"found {query}"


def react(**settings: Any) -> dspy.ReAct:
    return dspy.ReAct("question -> answer", tools=[search], **settings)


def test_an_agent_that_chooses_to_finish_says_so(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    model_server.reply = in_turn([step("search", query="Nile"), step("finish")])
    react()(question="Where?")
    assert telemetry.tree() == (
        "invoke_agent ReAct\n"
        "  Predict react\n"
        "    chat gpt-4o-mini\n"
        "  execute_tool search\n"
        "  Predict react\n"
        "    chat gpt-4o-mini\n"
        "  ChainOfThought extract\n"
        "    Predict extract\n"
        "      chat gpt-4o-mini"
    )
    assert telemetry.attributes("invoke_agent ReAct")[REASON] == "finish"


def test_an_agent_whose_iterations_are_used_up_says_so(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = in_turn([step("search", query="Nile"), step("search", query="Congo")])
    react(max_iters=2)(question="Where?")
    assert len(telemetry.named("execute_tool search")) == 2
    assert telemetry.attributes("invoke_agent ReAct")[REASON] == "max_iters"


async def test_an_async_agent_has_the_same_reasons(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    model_server.reply = in_turn([step("finish")])
    await react().acall(question="Where?")
    model_server.reply = in_turn([step("search", query="Nile")])
    await react(max_iters=1).acall(question="Where?")
    reasons = [span.attributes[REASON] for span in telemetry.named("invoke_agent ReAct")]
    assert reasons == ["finish", "max_iters"]


class StrictAdapter(dspy.ChatAdapter):
    """Takes no step that uses a tool."""

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        if "next_tool_name" in signature.output_fields:
            raise ValueError("there is no such tool")
        return super().parse(signature, completion)


def test_a_step_that_cannot_be_read_ends_the_loop_and_not_the_agent(telemetry: Recorded, lm: dspy.LM) -> None:
    with dspy.context(adapter=StrictAdapter(use_json_adapter_fallback=False)):
        react()(question="Where?")
    assert telemetry.tree() == (
        "invoke_agent ReAct\n"
        "  Predict react"
        " [ERROR ValueError: there is no such tool]\n"
        "    chat gpt-4o-mini\n"
        "  ChainOfThought extract\n"
        "    Predict extract\n"
        "      chat gpt-4o-mini"
    )
    assert telemetry.attributes("invoke_agent ReAct")[REASON] == "parse_error"


def test_a_context_that_is_full_ends_the_loop_and_not_the_agent(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    full = Failure(400, "This model's maximum context length is 8 tokens", "context_length_exceeded")
    model_server.fail_when(lambda request: "next_tool_name" in request.prompt.text, full)
    react()(question="Where?")
    agent = telemetry.span("invoke_agent ReAct")
    assert agent.status.is_unset
    assert agent.attributes is not None
    assert agent.attributes[REASON] == "context_window_exceeded"


def test_an_agent_that_an_exception_ends_has_no_reason(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.fail_next(Failure(401, "no such key"))
    with pytest.raises(dspy.LMError):
        react()(question="Where?")
    attributes = telemetry.attributes("invoke_agent ReAct")
    assert attributes["error.type"] == "dspy.utils.exceptions.LMAuthError"
    assert REASON not in attributes


def submit(**outputs: object) -> Any:
    """The reply with which a ``ReActV2`` agent ends, by native function calling."""
    return calls(ToolCall("submit", outputs))


def test_an_agent_that_submits_says_so(telemetry: Recorded, native_lm: dspy.LM, model_server: ModelServer) -> None:
    model_server.reply = in_turn([calls(ToolCall("search", {"query": "Nile"})), submit(answer="Africa")])
    result = dspy.ReActV2("question -> answer", tools=[search])(question="Where?")
    assert result.answer == "Africa"
    step_name = "Predict react"
    assert telemetry.tree() == (
        "invoke_agent ReActV2\n"
        f"  {step_name}\n"
        "    chat gpt-4o-mini\n"
        "  execute_tool search\n"
        f"  {step_name}\n"
        "    chat gpt-4o-mini"
    )
    assert telemetry.attributes("invoke_agent ReActV2")[REASON] == "submit"


async def test_an_agent_that_has_to_submit_in_the_end_says_so(
    telemetry: Recorded, native_lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = in_turn([calls(ToolCall("search", {"query": "Nile"})), submit(answer="Africa")])
    await dspy.ReActV2("question -> answer", tools=[search], max_iters=1).acall(question="Where?")
    assert telemetry.attributes("invoke_agent ReActV2")[REASON] == "forced_submit"


@pytest.fixture
def interpreter_factory() -> Any:
    """An interpreter that needs nothing but Python."""
    return importlib.import_module("dspy.primitives.local_interpreter").LocalInterpreter


def double(n: int) -> int:
    """Double a number."""
    return 2 * n


@pytest.mark.parametrize(("finished", "reason"), [(True, "finish"), (False, "max_iters")])
@pytest.mark.filterwarnings("ignore:CodeAct is deprecated")
def test_an_agent_of_code_finishes_with_a_step_or_with_its_iterations(
    telemetry: Recorded,
    lm: dspy.LM,
    model_server: ModelServer,
    interpreter_factory: Any,
    finished: bool,
    reason: str,
) -> None:
    code = {"generated_code": "print(double(21))", "finished": finished}
    model_server.reply = in_turn([code])
    agent = dspy.CodeAct("n -> doubled", tools=[double], max_iters=1, interpreter_factory=interpreter_factory)
    agent(n="21")
    assert telemetry.attributes("invoke_agent CodeAct")[REASON] == reason


@pytest.mark.filterwarnings("ignore:CodeAct is deprecated")
def test_a_last_step_without_code_is_no_end(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, interpreter_factory: Any
) -> None:
    model_server.reply = in_turn([{"generated_code": "", "finished": True}])
    agent = dspy.CodeAct("n -> doubled", tools=[double], max_iters=1, interpreter_factory=interpreter_factory)
    agent(n="21")
    assert telemetry.attributes("invoke_agent CodeAct")[REASON] == "max_iters"


def test_a_recursive_agent_submits_in_its_code(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, interpreter_factory: Any
) -> None:
    model_server.reply = in_turn([{"reasoning": "", "code": "SUBMIT(answer=search(query=context))"}])
    agent = dspy.RLM("context -> answer", tools=[search], interpreter_factory=interpreter_factory)
    assert agent(context="Nile").answer == "found Nile"
    assert telemetry.attributes("invoke_agent RLM")[REASON] == "submit"
    assert telemetry.attributes("execute_tool search")["gen_ai.agent.name"] == "RLM"


async def test_a_recursive_agent_that_submits_nothing_has_its_answer_extracted(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, interpreter_factory: Any
) -> None:
    model_server.reply = in_turn([{"reasoning": "", "code": "print(context)"}])
    await dspy.RLM("context -> answer", max_iters=1, interpreter_factory=interpreter_factory).acall(context="Nile")
    assert telemetry.attributes("invoke_agent RLM")[REASON] == "max_iters"


def test_an_agent_with_a_loop_of_its_own_has_no_reason(telemetry: Recorded, lm: dspy.LM) -> None:
    class Lookup(dspy.ReAct):
        def forward(self, **inputs: Any) -> dspy.Prediction:
            return dspy.Prediction(answer=self.tools["search"](query=inputs["question"]))

    Lookup("question -> answer", tools=[search])(question="Where?")
    assert telemetry.tree() == "invoke_agent Lookup\n  execute_tool search"
    assert REASON not in telemetry.attributes("invoke_agent Lookup")
    assert telemetry.attributes("execute_tool search")["gen_ai.agent.name"] == "Lookup"
