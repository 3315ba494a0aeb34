"""The tools of agents: what the spans of agents tell of them, and agents that are tools of others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
from agent_replies import step

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer, Request, Scripted
    from recorded import Recorded

TOOLS = "gen_ai.tool.definitions"


def search(query: str, limit: int = 3) -> str:
    """Look something up."""
    return f"found {query}"


def react(**settings: Any) -> dspy.ReAct:
    return dspy.ReAct("question -> answer", tools=[search], **settings)


def finish(note: str) -> str:
    """Polish something."""
    return note


def test_the_names_of_the_tools_are_always_there(telemetry: Recorded, native_lm: dspy.LM) -> None:
    dspy.ReActV2("question -> answer", tools=[search, finish])(question="Where?")
    assert json.loads(telemetry.attributes("invoke_agent ReActV2")[TOOLS]) == [
        {"name": "search", "type": "function"},
        {"name": "finish", "type": "function"},
    ]


def test_descriptions_and_parameters_of_the_tools_are_content(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(capture="span_only")
    react()(question="Where?")
    assert json.loads(telemetry.attributes("invoke_agent ReAct")[TOOLS]) == [
        {
            "name": "search",
            "type": "function",
            "description": "Look something up.",
            "parameters": {
                "type": "object",
                "properties": {"query": {"type": "string"}, "limit": {"type": "integer", "default": 3}},
                "required": ["query"],
            },
        }
    ]


def test_where_content_goes_to_events_the_span_has_the_names_of_the_tools(
    start_telemetry: StartTelemetry, lm: dspy.LM
) -> None:
    telemetry = start_telemetry(capture="event_only")
    react()(question="Where?")
    assert telemetry.attributes("invoke_agent ReAct")[TOOLS] == '[{"name":"search","type":"function"}]'


def test_an_agent_without_tools_has_no_definitions(telemetry: Recorded, lm: dspy.LM) -> None:
    dspy.ReAct("question -> answer", tools=[])(question="Where?")
    assert TOOLS not in telemetry.attributes("invoke_agent ReAct")


class Researcher(dspy.Signature):
    """Find out."""

    topic: str = dspy.InputField()
    report: str = dspy.OutputField()


def test_an_agent_that_a_tool_calls_runs_below_it_with_tools_of_its_own(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    researcher = dspy.ReAct(Researcher, tools=[search])

    def research(topic: str) -> str:
        """Have a topic researched."""
        return str(researcher(topic=topic).report)

    steps = {"Researcher": [step("search", query="Nile"), step("finish")], "": [step("research", topic="Nile")]}

    def reply(request: Request) -> Scripted:
        if "next_tool_name" not in request.prompt.text:
            return None
        remaining = steps["Researcher" if "`topic`" in request.prompt.text else ""]
        return remaining.pop(0) if remaining else step("finish")

    model_server.reply = reply
    dspy.ReAct("question -> answer", tools=[research])(question="Where?")
    ask = "Predict react"
    assert telemetry.tree() == (
        "invoke_agent ReAct\n"
        f"  {ask}\n"
        "    chat gpt-4o-mini\n"
        "  execute_tool research\n"
        "    invoke_agent Researcher\n"
        "      Predict react\n"
        "        chat gpt-4o-mini\n"
        "      execute_tool search\n"
        "      Predict react\n"
        "        chat gpt-4o-mini\n"
        "      ChainOfThought extract\n"
        "        Predict extract\n"
        "          chat gpt-4o-mini\n"
        f"  {ask}\n"
        "    chat gpt-4o-mini\n"
        "  ChainOfThought extract\n"
        "    Predict extract\n"
        "      chat gpt-4o-mini"
    )
    assert telemetry.attributes("execute_tool research")["gen_ai.agent.name"] == "ReAct"
    assert telemetry.attributes("execute_tool search")["gen_ai.agent.name"] == "Researcher"
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    assert telemetry.attributes("invoke_agent ReAct")["dspy.usage.lm_calls"] == 6
    assert telemetry.attributes("invoke_agent Researcher")["dspy.usage.lm_calls"] == 3
