"""What is known at the start, and OpenInference's words at the end, on every DSPy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    from conftest import StartTelemetry


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)


def exact(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> bool:
    return bool(example.answer == prediction.answer)


def run() -> None:
    devset = [dspy.Example(question="Where?", answer="here").with_inputs("question")]
    lm = DummyLM([{"reasoning": "so", "answer": "here"}] * 4)
    with dspy.context(lm=lm), telemetry_context(conversation_id="c-42", attributes={"tenant": "acme"}):
        dspy.Evaluate(devset=devset, metric=exact, num_threads=1)(Desk())


@pytest.mark.parametrize("capture", ["", "SPAN_ONLY"])
def test_every_row_is_filled(start_telemetry: StartTelemetry, capture: str) -> None:
    telemetry = start_telemetry(capture=capture, openinference=True)
    run()
    rows = {span.name.partition(" ")[0]: attributes_of(span) for span in telemetry.spans}
    assert {name: row["openinference.span.kind"] for name, row in rows.items()} == {
        "evaluate": "EVALUATOR",
        "evaluate_example": "EVALUATOR",
        "invoke_workflow": "CHAIN",
        "ChainOfThought": "CHAIN",
        "Predict": "CHAIN",
        "chat": "LLM",
    }
    for row in rows.values():
        assert row["input.value"]
        assert row["output.value"]
        assert (row["session.id"], row["tenant"]) == ("c-42", "acme")
    assert rows["evaluate"]["output.value"] == "score 100 · 1 LM call"
    if capture:
        assert rows["ChainOfThought"]["input.value"] == "Where?"
        assert [message["role"] for message in json.loads(rows["chat"]["input.value"])["messages"]] == [
            "system",
            "user",
        ]


def test_modules_say_from_the_start_where_they_run(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry()
    run()
    rows = {span.name.partition(" ")[0]: attributes_of(span) for span in telemetry.spans}
    assert rows["Predict"]["dspy.module.path"] == "answer.predict"
    assert rows["Predict"]["gen_ai.workflow.name"] == "Desk"
    assert [*rows["Predict"]][:4] == [
        "tenant",
        "gen_ai.conversation.id",
        "dspy.module.name",
        "dspy.module.path",
    ]
