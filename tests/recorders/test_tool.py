"""Spans of tools: those that an agent calls, and those that the program calls itself."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from agent_replies import calls, in_turn
from model_server import ToolCall
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

ARGUMENTS = "gen_ai.tool.call.arguments"
RESULT = "gen_ai.tool.call.result"


def search(query: str) -> str:
    """Look something up."""
    if not query:
        raise LookupError("nothing to look up")
    return f"found {query}"


async def fetch(page: int) -> dict[str, Any]:
    """Fetch a page."""
    await asyncio.sleep(0)
    return {"page": page, "lines": ["one", "two"]}


def test_a_tool_is_a_span_also_outside_of_any_agent(telemetry: Recorded) -> None:
    assert dspy.Tool(search)(query="Nile") == "found Nile"
    span = telemetry.span("execute_tool search")
    assert span.kind is SpanKind.INTERNAL
    assert span.status.is_unset
    assert telemetry.attributes("execute_tool search") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Look something up.",
    }


def test_a_tool_without_a_description_has_none(telemetry: Recorded) -> None:
    dspy.Tool(lambda: 1, name="one")()
    assert "gen_ai.tool.description" not in telemetry.attributes("execute_tool one")


def test_arguments_and_result_are_content(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="span_only")
    dspy.Tool(search)(query="Nile")
    attributes = telemetry.attributes("execute_tool search")
    assert json.loads(attributes[ARGUMENTS]) == {"query": "Nile"}
    assert attributes[RESULT] == "found Nile"


async def test_the_result_of_an_async_tool_is_an_object(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="span_only")
    assert await dspy.Tool(fetch).acall(page=3) == {"page": 3, "lines": ["one", "two"]}
    attributes = telemetry.attributes("execute_tool fetch")
    assert json.loads(attributes[ARGUMENTS]) == {"page": 3}
    assert json.loads(attributes[RESULT]) == {"page": 3, "lines": ["one", "two"]}


def test_content_is_redacted_and_bounded(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_MAX_LENGTH", "12")
    telemetry = start_telemetry(capture="span_only", redact=lambda value, kind: value.replace("Nile", f"<{kind}>"))
    dspy.Tool(search)(query="Nile")
    attributes = telemetry.attributes("execute_tool search")
    assert json.loads(attributes[ARGUMENTS]) == {"query": "<tool>"}
    assert attributes[RESULT] == "found <tool>"
    assert attributes["gen_ai.tool.description"] == "Look somethi… [6 more characters]"


def test_without_content_nothing_of_a_call_leaves_the_program(telemetry: Recorded) -> None:
    dspy.Tool(search)(query="Nile")
    assert telemetry.span("execute_tool search").attributes is not None
    assert "Nile" not in telemetry.everything()


def test_an_async_tool_called_in_sync_is_one_span(telemetry: Recorded) -> None:
    with dspy.context(allow_tool_async_sync_conversion=True):
        assert dspy.Tool(fetch)(page=1)["page"] == 1
    assert telemetry.tree() == "execute_tool fetch"


@pytest.mark.filterwarnings("ignore:coroutine 'fetch' was never awaited")
def test_an_async_tool_that_may_not_be_called_in_sync_fails(telemetry: Recorded) -> None:
    with pytest.raises(ValueError, match="async tool"):
        dspy.Tool(fetch)(page=1)
    assert telemetry.attributes("execute_tool fetch")["error.type"] == "ValueError"


async def test_a_sync_tool_can_be_awaited(telemetry: Recorded) -> None:
    assert await dspy.Tool(search).acall(query="Nile") == "found Nile"
    assert telemetry.tree() == "execute_tool search"


def test_what_a_tool_calls_is_below_it(telemetry: Recorded, lm: dspy.LM) -> None:
    inner = dspy.Tool(search)

    def ask(question: str) -> str:
        found = inner(query=question)
        return str(dspy.Predict("found -> answer")(found=found).answer)

    dspy.Tool(ask)(question="Nile")
    assert telemetry.tree() == (
        "execute_tool ask\n  execute_tool search\n  Predict found -> answer\n    chat gpt-4o-mini"
    )


def test_a_tool_that_overrides_the_call_is_one_span(telemetry: Recorded) -> None:
    class Polite(dspy.Tool):
        def __call__(self, **arguments: Any) -> Any:
            return f"please: {super().__call__(**arguments)}"

    assert Polite(search)(query="Nile") == "please: found Nile"
    assert telemetry.tree() == "execute_tool search"


def test_an_exception_that_the_agent_survives_marks_the_tool_alone(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    choose = {"next_thought": "", "next_tool_name": "search", "next_tool_args": {"query": ""}}
    model_server.reply = in_turn([choose])
    dspy.ReAct("question -> answer", tools=[search], max_iters=1)(question="Where?")
    assert telemetry.tree() == (
        "invoke_agent ReAct\n"
        "  Predict react\n"
        "    chat gpt-4o-mini\n"
        "  execute_tool search [ERROR LookupError: nothing to look up]\n"
        "  ChainOfThought extract\n"
        "    Predict extract\n"
        "      chat gpt-4o-mini"
    )


def test_arguments_that_the_tool_does_not_take_are_its_failure(telemetry: Recorded) -> None:
    with pytest.raises(ValueError, match="not in the tool's args"):
        dspy.Tool(search)(question="Nile")
    assert telemetry.attributes("execute_tool search")["error.type"] == "ValueError"


async def test_a_tool_that_is_cancelled_has_failed(telemetry: Recorded) -> None:
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(dspy.Tool(wait).acall())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert telemetry.attributes("execute_tool wait")["error.type"] == "asyncio.exceptions.CancelledError"


def test_a_tool_has_the_conversation_and_the_attributes_around_it(telemetry: Recorded) -> None:
    with telemetry_context(conversation_id="c-42", attributes={"user.id": "u-7"}):
        dspy.Tool(search)(query="Nile")
    attributes = telemetry.attributes("execute_tool search")
    assert attributes["gen_ai.conversation.id"] == "c-42"
    assert attributes["user.id"] == "u-7"


def test_the_duration_of_each_tool_is_measured(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    model_server.reply = in_turn([{"next_tool_name": "search", "next_tool_args": {"query": ""}}])
    dspy.ReAct("question -> answer", tools=[search], max_iters=1)(question="Where?")
    [point] = telemetry.metric_points("gen_ai.execute_tool.duration")
    assert point.attributes == {
        "gen_ai.tool.name": "search",
        "gen_ai.tool.type": "function",
        "gen_ai.agent.name": "ReAct",
        "error.type": "LookupError",
    }
    assert point.count == 1


def test_a_tool_that_is_not_sampled_is_measured_all_the_same(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="span_only", sampler=ALWAYS_OFF)
    assert dspy.Tool(search)(query="Nile") == "found Nile"
    assert telemetry.spans == []
    [point] = telemetry.metric_points("gen_ai.execute_tool.duration")
    assert point.count == 1


def test_suppressed_instrumentation_records_no_tool(telemetry: Recorded) -> None:
    with suppress_instrumentation():
        dspy.Tool(search)(query="Nile")
    assert telemetry.spans == []
    assert telemetry.metric_points("gen_ai.execute_tool.duration") == []


def test_the_tools_that_agents_add_for_themselves_have_no_span(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    dspy.configure(adapter=dspy.ChatAdapter(use_native_function_calling=True))
    dspy.ReAct("question -> answer", tools=[]).tools["finish"]()
    model_server.reply = in_turn([calls(ToolCall("submit", {"answer": "Africa"}))])
    dspy.ReActV2("question -> answer", tools=[search])(question="Where?")
    assert [span.name for span in telemetry.spans if span.name.startswith("execute_tool")] == []


def finish(text: str) -> str:
    """Put a finish on a text."""
    return f"{text}!"


def submit(text: str) -> str:
    """Hand in a text."""
    return f"submitted {text}"


def test_tools_of_the_same_names_that_are_the_programs_own_have_one(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    hand_in = {"next_thought": "", "next_tool_name": "submit", "next_tool_args": {"text": "essay"}}
    model_server.reply = in_turn([hand_in, {"next_tool_name": "finish", "next_tool_args": {}}])
    dspy.ReAct("question -> answer", tools=[submit])(question="Where?")
    assert [span.name for span in telemetry.spans if span.name.startswith("execute_tool")] == ["execute_tool submit"]

    telemetry.clear()
    dspy.configure(adapter=dspy.ChatAdapter(use_native_function_calling=True))
    polish = calls(ToolCall("finish", {"text": "essay"}))
    model_server.reply = in_turn([polish, calls(ToolCall("submit", {"answer": "essay!"}))])
    dspy.ReActV2("question -> answer", tools=[finish])(question="Where?")
    assert [span.name for span in telemetry.spans if span.name.startswith("execute_tool")] == ["execute_tool finish"]


async def test_a_tool_of_langchain_is_a_tool(start_telemetry: StartTelemetry) -> None:
    from langchain_core.tools import tool

    @tool
    def add(x: int, y: int) -> int:
        """Add two numbers."""
        return x + y

    telemetry = start_telemetry(capture="span_only")
    assert await dspy.Tool.from_langchain(add).acall(x=1, y=2) == 3
    assert telemetry.tree() == "execute_tool add"
    attributes = telemetry.attributes("execute_tool add")
    assert attributes["gen_ai.tool.description"] == "Add two numbers."
    assert json.loads(attributes[ARGUMENTS]) == {"x": 1, "y": 2}
    assert attributes[RESULT] == "3"
