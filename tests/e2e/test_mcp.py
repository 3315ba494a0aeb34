"""Tools of a real MCP server, which runs in a process of its own."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from opentelemetry.trace import format_span_id, format_trace_id

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, telemetry_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import StartTelemetry
    from model_server import ModelServer
    from opentelemetry.sdk.trace import ReadableSpan
    from recorded import Recorded

SERVER = StdioServerParameters(command=sys.executable, args=[str(Path(__file__).with_name("mcp_server.py"))])


@asynccontextmanager
async def connected(session_class: type[ClientSession] = ClientSession) -> AsyncIterator[ClientSession]:
    """A session with a server that is started for it."""
    async with stdio_client(SERVER) as (read, write), session_class(read, write) as session:
        await session.initialize()
        yield session


async def tools_of(session: Any) -> dict[str, dspy.Tool]:
    """The server's tools, as DSPy's."""
    listed = await session.list_tools()
    return {tool.name: dspy.Tool.from_mcp_tool(session, tool) for tool in listed.tools}


def traceparent(span: ReadableSpan) -> str:
    """The span as the W3C trace context names it."""
    context = span.context
    return f"00-{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}-{context.trace_flags:02x}"


async def test_a_call_is_one_span_and_its_context_reaches_the_server(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="span_only")
    async with connected() as session:
        result = json.loads(await (await tools_of(session))["weather"].acall(city="Cairo"))
    span = telemetry.span("execute_tool weather")
    assert telemetry.spans == [span]
    assert result == {"city": "Cairo", "meta": {**result["meta"], "traceparent": traceparent(span)}}
    attributes = telemetry.attributes("execute_tool weather")
    assert json.loads(attributes.pop("gen_ai.tool.call.result")) == result
    assert attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Tell the weather in a city.",
        "gen_ai.tool.call.arguments": '{"city":"Cairo"}',
    }


async def test_a_failure_of_the_server_marks_the_tool(telemetry: Recorded) -> None:
    async with connected() as session:
        storm = (await tools_of(session))["storm"]
        with pytest.raises(RuntimeError, match="no forecast for Cairo"):
            await storm.acall(city="Cairo")
    span = telemetry.span("execute_tool storm")
    assert span.status.description is not None
    # The server's words hold the argument, which is content.
    assert span.status.description.startswith("Failed to call a MCP tool")
    assert "Cairo" not in span.status.description
    assert telemetry.attributes("execute_tool storm")["error.type"] == "RuntimeError"


async def test_an_agent_calls_the_server_within_one_trace(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    choices = iter(
        [
            {"next_tool_name": "weather", "next_tool_args": {"city": "Cairo"}},
            {"next_tool_name": "finish", "next_tool_args": {}},
        ]
    )
    model_server.reply = lambda request: next(choices, None)
    async with connected() as session:
        agent = dspy.ReAct("question -> answer", tools=[(await tools_of(session))["weather"]])
        with telemetry_context(conversation_id="c-42"):
            result = await agent.acall(question="How is Cairo?")
    choose = "Predict react"
    assert telemetry.tree() == (
        "invoke_agent ReAct\n"
        f"  {choose}\n"
        "    chat gpt-4o-mini\n"
        "  execute_tool weather\n"
        f"  {choose}\n"
        "    chat gpt-4o-mini\n"
        "  ChainOfThought extract\n"
        "    Predict extract\n"
        "      chat gpt-4o-mini"
    )
    observation = json.loads(result.trajectory["observation_0"])
    assert observation["meta"]["traceparent"] == traceparent(telemetry.span("execute_tool weather"))
    attributes = telemetry.attributes("execute_tool weather")
    assert attributes["gen_ai.agent.name"] == "ReAct"
    assert attributes["gen_ai.conversation.id"] == "c-42"


async def test_what_the_application_sends_along_is_kept(telemetry: Recorded) -> None:
    class Tenant(ClientSession):
        async def call_tool(self, name: str, arguments: dict[str, Any] | None = None, **options: Any) -> Any:
            return await super().call_tool(name, arguments, **options, meta={"tenant": "t-7"})

    async with connected(Tenant) as session:
        result = json.loads(await (await tools_of(session))["weather"].acall(city="Cairo"))
    assert result["meta"]["tenant"] == "t-7"
    assert result["meta"]["traceparent"] == traceparent(telemetry.span("execute_tool weather"))


async def test_a_client_that_can_send_something_along_is_given_the_context(telemetry: Recorded) -> None:
    class Client:
        """A client of the application, which passes calls on to a session."""

        def __init__(self, session: ClientSession) -> None:
            self._session = session
            self.sent: list[dict[str, Any] | None] = []

        async def list_tools(self) -> Any:
            return await self._session.list_tools()

        async def call_tool(self, name: str, arguments: dict[str, Any], *, meta: dict[str, Any] | None = None) -> Any:
            self.sent.append(meta)
            return await self._session.call_tool(name, arguments, meta=meta)

    async with connected() as session:
        client = Client(session)
        result = json.loads(await (await tools_of(client))["weather"].acall(city="Cairo"))
    context = {"traceparent": traceparent(telemetry.span("execute_tool weather"))}
    assert client.sent == [context]
    assert result["meta"] == {**result["meta"], **context}


async def test_a_session_that_can_send_nothing_along_is_called_as_ever(telemetry: Recorded) -> None:
    class Plain:
        """A client such as MCP's was up to 1.18."""

        def __init__(self, session: ClientSession) -> None:
            self.list_tools = session.list_tools
            self._session = session

        async def call_tool(self, name: str, arguments: dict[str, Any]) -> Any:
            return await self._session.call_tool(name, arguments)

    async with connected() as session:
        result = json.loads(await (await tools_of(Plain(session)))["weather"].acall(city="Cairo"))
    assert result["city"] == "Cairo"
    assert telemetry.tree() == "execute_tool weather"


async def test_calls_of_the_application_itself_are_left_alone(telemetry: Recorded) -> None:
    async def meta_of_own_call() -> Any:
        result = await session.call_tool("weather", {"city": "Cairo"})
        return json.loads(result.content[0].text)["meta"]

    tracer = telemetry.tracer_provider.get_tracer("application")
    async with connected() as session:
        with tracer.start_as_current_span("own span"), telemetry_context(conversation_id="c-42"):
            before = await meta_of_own_call()
            await tools_of(session)
            # From MCP 2 on, the package itself sends the trace context along.
            assert await meta_of_own_call() == before
    assert telemetry.tree() == "own span"


async def test_sessions_are_as_they_were_afterwards(telemetry: Recorded) -> None:
    original = vars(ClientSession)["call_tool"]
    async with connected() as session:
        weather = (await tools_of(session))["weather"]
        assert vars(ClientSession)["call_tool"] is not original
        DSPyInstrumentor().uninstrument()
        assert vars(ClientSession)["call_tool"] is original
        result = json.loads(await weather.acall(city="Cairo"))
    assert "traceparent" not in result["meta"]
    assert telemetry.spans == []
