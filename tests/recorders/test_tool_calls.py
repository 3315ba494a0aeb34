"""Tool calls that the model asks for by id: ``ReActV2`` runs them, or a program with a loop of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from agent_replies import calls, in_turn
from model_server import ToolCall
from opentelemetry.instrumentation.utils import suppress_instrumentation

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

CALL_ID = "gen_ai.tool.call.id"
ARGUMENTS = "gen_ai.tool.call.arguments"


def search(query: str) -> str:
    """Look something up."""
    if not query:
        raise LookupError("nothing to look up")
    return f"found {query}"


async def fetch(page: int) -> dict[str, Any]:
    """Fetch a page."""
    return {"page": page, "lines": ["one", "two"]}


def identified(telemetry: Recorded) -> list[tuple[object, object]]:
    """The id and the arguments of each tool call, in the order of the calls."""
    spans = [span for span in telemetry.spans if span.name.startswith("execute_tool")]
    attributes = [span.attributes or {} for span in spans]
    return [(each.get(CALL_ID), each.get(ARGUMENTS)) for each in attributes]


TWO_STEPS = (
    calls(
        ToolCall("search", {"query": "Nile"}),
        ToolCall("fetch", {"page": 1}),
        ToolCall("unknown"),
        ToolCall("search", {"query": ""}),
    ),
    calls(ToolCall("fetch", {"page": 2}), ToolCall("submit", {"answer": "Africa"})),
)


async def test_a_tool_has_the_id_that_the_model_gave_to_its_call(
    start_telemetry: StartTelemetry, native_lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="span_only")
    model_server.reply = in_turn(TWO_STEPS)
    await dspy.ReActV2("question -> answer", tools=[search, fetch]).acall(question="Where?")
    assert identified(telemetry) == [
        ("call-1-0", '{"query":"Nile"}'),
        ("call-1-1", '{"page":1}'),
        ("call-1-3", '{"query":""}'),
        ("call-2-0", '{"page":2}'),
    ]


def test_a_tool_has_its_id_whatever_the_order_of_the_calls(
    start_telemetry: StartTelemetry, native_lm: dspy.LM, model_server: ModelServer
) -> None:
    class Backwards(dspy.ReActV2):
        def _execute_tool_calls(self, tool_calls: dspy.ToolCalls) -> Any:
            backwards = dspy.ToolCalls(tool_calls=tool_calls.tool_calls[::-1])
            return super()._execute_tool_calls(backwards)

    telemetry = start_telemetry(capture="span_only")
    pages = [ToolCall("search", {"query": query}) for query in ("Nile", "Congo")]
    model_server.reply = in_turn([calls(*pages), calls(ToolCall("submit", {"answer": "Africa"}))])
    Backwards("question -> answer", tools=[search])(question="Where?")
    assert identified(telemetry) == [("call-1-1", '{"query":"Congo"}'), ("call-1-0", '{"query":"Nile"}')]


def test_a_tool_that_another_one_calls_has_no_id(
    telemetry: Recorded, native_lm: dspy.LM, model_server: ModelServer
) -> None:
    inner = dspy.Tool(search)

    def ask(question: str) -> str:
        """Ask."""
        return str(inner(query=question))

    both = calls(ToolCall("ask", {"question": "Where?"}), ToolCall("search", {"query": "Nile"}))
    model_server.reply = in_turn([both, calls(ToolCall("submit", {"answer": "Africa"}))])
    dspy.ReActV2("question -> answer", tools=[ask, inner])(question="Where?")
    assert [identifier for identifier, _ in identified(telemetry)] == ["call-1-0", None, "call-1-1"]


def test_calls_that_the_model_writes_as_text_have_no_id(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    dspy.configure(adapter=dspy.ChatAdapter(use_native_function_calling=False))
    text = {"next_thought": "", "tool_calls": {"tool_calls": [{"name": "search", "args": {"query": "Nile"}}]}}
    end = {"next_thought": "", "tool_calls": {"tool_calls": [{"name": "submit", "args": {"answer": "Africa"}}]}}
    model_server.reply = in_turn([text, end])
    result = dspy.ReActV2("question -> answer", tools=[search])(question="Where?")
    assert result.history.messages[0]["tool_calls"].tool_calls[0].id == "call_0_0"
    assert telemetry.span("execute_tool search")
    assert CALL_ID not in telemetry.attributes("execute_tool search")


@pytest.fixture
def requested(native_lm: dspy.LM, model_server: ModelServer) -> dspy.ToolCalls.ToolCall:
    """A call of ``search`` that the model asked for, in a program with a loop of its own."""
    model_server.reply = in_turn([calls(ToolCall("search", {"query": "Nile"}))])
    predict = dspy.Predict("question, tools: list[dspy.Tool] -> calls: dspy.ToolCalls")
    [call] = predict(question="Where?", tools=[dspy.Tool(search)]).calls.tool_calls
    assert isinstance(call, dspy.ToolCalls.ToolCall)
    return call


EXECUTED = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": "search",
    "gen_ai.tool.type": "function",
    "gen_ai.tool.description": "Look something up.",
    "gen_ai.tool.call.id": "call-1-0",
    "gen_ai.tool.call.arguments": '{"query":"Nile"}',
    "gen_ai.tool.call.result": "found Nile",
}


@pytest.mark.parametrize("functions", [[dspy.Tool(search)], {"search": dspy.Tool(search)}, {"search": search}, None])
def test_a_call_of_the_model_that_the_program_executes_is_one_span(
    start_telemetry: StartTelemetry, requested: dspy.ToolCalls.ToolCall, functions: Any
) -> None:
    telemetry = start_telemetry(capture="span_only")
    assert requested.execute(functions=functions) == "found Nile"
    assert telemetry.tree() == "execute_tool search"
    assert telemetry.attributes("execute_tool search") == EXECUTED


def test_a_tool_among_the_variables_of_the_caller_is_executed_once(
    start_telemetry: StartTelemetry, requested: dspy.ToolCalls.ToolCall
) -> None:
    telemetry = start_telemetry(capture="span_only")
    search = dspy.Tool(globals()["search"])
    assert requested.execute() == search.func(query="Nile")
    assert telemetry.tree() == "execute_tool search"
    assert telemetry.attributes("execute_tool search") == EXECUTED


def test_the_variables_of_the_caller_are_found_with_the_instrumentation_suppressed(
    telemetry: Recorded, requested: dspy.ToolCalls.ToolCall
) -> None:
    telemetry.clear()
    with suppress_instrumentation():
        assert requested.execute() == "found Nile"
    assert telemetry.spans == []


@pytest.mark.parametrize("name", ["instance", "wrapped", "nothing"])
def test_a_tool_that_is_not_there_is_not_executed(telemetry: Recorded, name: str) -> None:
    call = dspy.ToolCalls.ToolCall(name=name, args={})
    with pytest.raises(ValueError, match=f"'{name}' not found"):
        call.execute()
    assert telemetry.spans == []


def test_an_executed_call_that_fails_is_an_error(telemetry: Recorded) -> None:
    call = dspy.ToolCalls.ToolCall(name="search", args={"query": ""})
    with pytest.raises(RuntimeError, match="nothing to look up"):
        call.execute([dspy.Tool(search)])
    with pytest.raises(RuntimeError, match="nothing to look up"):
        call.execute({"search": dspy.Tool(search)})
    assert telemetry.tree() == (
        "execute_tool search [ERROR RuntimeError: Error executing tool 'search': nothing to look up]\n"
        "execute_tool search [ERROR LookupError: nothing to look up]"
    )
