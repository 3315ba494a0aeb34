"""Names of the conventions that hold on every DSPy: of workflows and agents, of their calls, and of OpenAI's APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
from agent_replies import in_turn, step

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded


def search(query: str) -> str:
    """Look something up."""
    return f"found {query}"


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.agent = dspy.ReAct("question -> answer", tools=[search])

    def forward(self, question: str) -> Any:
        return self.agent(question=question)


def test_workflows_agents_and_calls_have_the_conventions_names(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = in_turn([step("search", query="Nile"), step("finish")])
    Desk()(question="Where?")
    workflow = telemetry.attributes("invoke_workflow Desk")
    assert workflow["gen_ai.agent.name"] == workflow["gen_ai.workflow.name"] == "Desk"
    assert telemetry.attributes("invoke_agent ReAct")["gen_ai.agent.name"] == "ReAct"
    [duration] = telemetry.metric_points("gen_ai.invoke_workflow.duration")
    assert {**duration.attributes} == {"gen_ai.workflow.name": "Desk"}
    for metric, calls in (("inference_calls", 3), ("tool_calls", 1)):
        [point] = telemetry.metric_points(f"gen_ai.invoke_agent.{metric}")
        assert ({**point.attributes}, point.count, point.sum) == ({"gen_ai.agent.name": "ReAct"}, 1, calls)
    chats = telemetry.named("chat gpt-4o-mini")
    assert [span.attributes["openai.api.type"] for span in chats if span.attributes] == ["chat_completions"] * 3
