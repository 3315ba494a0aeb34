"""How many calls of models and tools one call of an agent makes itself, and what it says that it is for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from agent_replies import in_turn, step
from dspy.utils.exceptions import AdapterParseError
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer, Request, Scripted
    from recorded import Recorded

INFERENCES, TOOLS = "gen_ai.invoke_agent.inference_calls", "gen_ai.invoke_agent.tool_calls"
DESCRIPTION = "gen_ai.agent.description"


def search(query: str) -> str:
    """Look something up."""
    return f"found {query}"


def counted(telemetry: Recorded, metric: str) -> dict[Any, tuple[int, int]]:
    """Calls of each agent: how often it ran, and the sum over its runs."""
    return {
        point.attributes["gen_ai.agent.name"]: (point.count, point.sum) for point in telemetry.metric_points(metric)
    }


def test_each_run_of_an_agent_counts_the_calls_that_it_makes(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = in_turn([step("search", query="Nile"), step("finish")])
    agent = dspy.ReAct("question -> answer", tools=[search])
    agent(question="Where?")
    # Two steps and the answer; the tool that DSPy itself added is none.
    assert counted(telemetry, INFERENCES) == {"ReAct": (1, 3)}
    assert counted(telemetry, TOOLS) == {"ReAct": (1, 1)}
    [point] = telemetry.metric_points(INFERENCES)
    assert {**point.attributes} == {"gen_ai.agent.name": "ReAct"}
    assert [*point.explicit_bounds] == [1, 2, 4, 8, 16, 32, 64, 128]


async def test_it_counts_in_tasks_and_where_nothing_is_sampled(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    model_server.reply = in_turn([step("search", query="Nile"), step("finish")])
    await dspy.ReAct("question -> answer", tools=[search]).acall(question="Where?")
    assert telemetry.spans == []
    assert (counted(telemetry, INFERENCES), counted(telemetry, TOOLS)) == ({"ReAct": (1, 3)}, {"ReAct": (1, 1)})


def test_calls_that_fail_count(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    def broken(query: str) -> str:
        """Break."""
        raise LookupError(query)

    model_server.reply = in_turn([step("broken", query="Nile"), "no fields", "no fields"])
    with pytest.raises(AdapterParseError):
        dspy.ReAct("question -> answer", tools=[broken])(question="Where?")
    # A step, and another in two formats that no adapter reads.
    assert counted(telemetry, INFERENCES) == {"ReAct": (1, 3)}
    assert counted(telemetry, TOOLS) == {"ReAct": (1, 1)}


def test_what_a_tool_does_is_the_tools_and_an_agent_inside_counts_its_own(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    class Researcher(dspy.ReAct):
        """Finds out."""

    researcher = Researcher("topic -> report", tools=[search])
    summarize = dspy.Predict("text -> summary")

    def research(topic: str) -> str:
        """Have a topic researched, and summarized."""
        report = str(researcher(topic=topic).report)
        return str(summarize(text=dspy.Tool(search)(query=report)).summary)

    steps = {True: [step("search", query="Nile"), step("finish")], False: [step("research", topic="Nile")]}

    def reply(request: Request) -> Scripted:
        if "next_tool_name" not in request.prompt.text:
            return None
        remaining = steps["`topic`" in request.prompt.text]
        return remaining.pop(0) if remaining else step("finish")

    model_server.reply = reply
    dspy.ReAct("question -> answer", tools=[research])(question="Where?")
    assert len(telemetry.named("chat gpt-4o-mini")) == 7
    assert counted(telemetry, INFERENCES) == {"ReAct": (1, 3), "Researcher": (1, 3)}
    assert counted(telemetry, TOOLS) == {"ReAct": (1, 1), "Researcher": (1, 1)}


def test_an_agent_of_code_counts_what_it_executes_and_what_the_code_calls(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    interpreter = importlib.import_module("dspy.primitives.local_interpreter").LocalInterpreter
    model_server.reply = in_turn([{"reasoning": "", "code": "SUBMIT(answer=search(query=context))"}])
    dspy.RLM("context -> answer", tools=[search], interpreter_factory=interpreter)(context="Nile")
    assert counted(telemetry, INFERENCES) == {"RLM": (1, 1)}
    assert counted(telemetry, TOOLS) == {"RLM": (1, 2)}


def test_calls_outside_of_agents_are_not_counted(telemetry: Recorded, lm: dspy.LM) -> None:
    dspy.Predict("question -> answer")(question=dspy.Tool(search)(query="Nile"))
    assert (telemetry.metric_points(INFERENCES), telemetry.metric_points(TOOLS)) == ([], [])


class Desk(dspy.Signature):
    """Answer for the desk of Ann."""

    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


@pytest.mark.parametrize(
    ("capture", "told"),
    [("", None), ("EVENT_ONLY", None), ("SPAN_ONLY", "Answer for the desk of [name]."), ("SPAN_AND_EVENT", "Answer")],
)
def test_what_an_agent_is_told_to_do_is_content(
    start_telemetry: StartTelemetry, lm: dspy.LM, capture: str, told: str | None
) -> None:
    telemetry = start_telemetry(capture=capture, redact=lambda text, kind: text.replace("Ann", "[name]"))
    dspy.ReAct(Desk, tools=[search])(question="Where?")
    attributes = telemetry.attributes("invoke_agent Desk")
    assert str(attributes.get(DESCRIPTION)).startswith(str(told))
    assert (DESCRIPTION in attributes) is (told is not None)


def test_content_of_chats_alone_is_not_on_agents(
    start_telemetry: StartTelemetry, lm: dspy.LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_SPANS", "chat")
    telemetry = start_telemetry(capture="SPAN_ONLY")
    dspy.ReAct(Desk, tools=[search])(question="Where?")
    assert DESCRIPTION not in telemetry.attributes("invoke_agent Desk")
