"""What an agent was asked and what it answered, without its way there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from agent_replies import calls, in_turn, step
from model_server import ToolCall

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded


def search(query: str) -> str:
    """Look something up."""
    return f"found {query}"


def told(telemetry: Recorded, name: str) -> tuple[str, str]:
    """The text of the only message in, and of the only one out, which ended by itself."""
    attributes = telemetry.attributes(f"invoke_agent {name}")
    [asked] = json.loads(attributes["gen_ai.input.messages"])
    [answered] = json.loads(attributes["gen_ai.output.messages"])
    assert answered["finish_reason"] == "stop"
    [question], [answer] = asked["parts"], answered["parts"]
    return question["content"], answer["content"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_an_answer_of_one_text_is_that_text(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, is_async: bool
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    steps = [step("search", query="Nile"), step("finish")]
    model_server.reply = in_turn([*steps, {"reasoning": "So.", "answer": "Cairo"}])
    agent = dspy.ReAct("question -> answer", tools=[search])
    prediction = await agent.acall(question="Where?") if is_async else agent(question="Where?")
    assert set(prediction.keys()) == {"trajectory", "reasoning", "answer"}
    assert told(telemetry, "ReAct") == ("Where?", "Cairo")


@pytest.mark.parametrize("inside", ["agent", "thought"])
def test_a_program_that_hands_on_an_answer_tells_the_answer_alone(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, inside: str
) -> None:
    class Desk(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            is_agent = inside == "agent"
            signature = "question -> answer"
            self.ask = dspy.ReAct(signature, tools=[search]) if is_agent else dspy.ChainOfThought(signature)

        def forward(self, question: str) -> dspy.Prediction:
            return self.ask(question=question)

    telemetry = start_telemetry(capture="SPAN_ONLY")
    thought = {"reasoning": "So.", "answer": "Cairo"}
    model_server.reply = in_turn([step("finish"), thought] if inside == "agent" else [thought])
    assert "reasoning" in Desk()(question="Where?")
    [span] = [span for span in telemetry.spans if span.name == "invoke_workflow Desk"]
    [answered] = json.loads((span.attributes or {})["gen_ai.output.messages"])
    assert [part["content"] for part in answered["parts"]] == ["Cairo"]


def test_an_answer_of_several_fields_is_json(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = in_turn([step("finish"), {"reasoning": "So.", "answer": "Cairo", "certainty": "0.5"}])
    dspy.ReAct("question, tone -> answer, certainty: float", tools=[search])(question="Where?", tone="calm")
    assert told(telemetry, "ReAct") == (
        '{"question":"Where?","tone":"calm"}',
        '{"answer":"Cairo","certainty":0.5}',
    )


def test_reasoning_that_the_signature_asks_for_is_a_part_of_the_answer(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = in_turn([step("finish"), {"reasoning": "So.", "answer": "Cairo"}])
    dspy.ReAct("question -> reasoning, answer", tools=[search])(question="Where?")
    assert told(telemetry, "ReAct")[1] == '{"reasoning":"So.","answer":"Cairo"}'


def test_what_an_own_agent_adds_is_a_part_of_its_answer(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    class Librarian(dspy.ReAct):  # type: ignore[misc]
        def forward(self, **values: Any) -> dspy.Prediction:
            prediction = super().forward(**values)
            return dspy.Prediction(sources=["shelf 3"], **prediction)

    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = in_turn([step("finish"), {"reasoning": "So.", "answer": "Cairo"}])
    Librarian("question -> answer", tools=[search])(question="Where?")
    assert told(telemetry, "Librarian") == ("Where?", '{"sources":["shelf 3"],"answer":"Cairo"}')


@pytest.mark.skipif(not hasattr(dspy, "ReActV2"), reason="This DSPy has no ReActV2.")
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_an_agent_with_native_calls_answers_without_its_history(
    start_telemetry: StartTelemetry, native_lm: dspy.LM, model_server: ModelServer, is_async: bool
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = in_turn([calls(ToolCall("submit", {"answer": "Africa"}))])
    agent = dspy.ReActV2("question -> answer", tools=[search])
    prediction = await agent.acall(question="Where?") if is_async else agent(question="Where?")
    assert {"history", "termination_reason"} < set(prediction.keys())
    assert told(telemetry, "ReActV2") == ("Where?", "Africa")
