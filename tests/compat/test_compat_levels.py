"""Inputs and outputs of the levels above language model calls, where the application consents to record them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from recorded import attributes_of

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer

FRANCE = dspy.Example(question="Capital of France?", answer="Paris").with_inputs("question")


class Geography(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=question)

    async def aforward(self, question: str) -> dspy.Prediction:
        return await self.answer.acall(question=question)


def with_feedback(example: dspy.Example, prediction: Any, trace: Any = None) -> dspy.Prediction:
    return dspy.Prediction(score=0.5, feedback=f"Wanted was {example.answer}.")


@pytest.fixture
def knowing_lm(lm: dspy.LM, model_server: ModelServer) -> dspy.LM:
    model_server.reply = {"of France?": {"answer": "Lyon"}}
    return lm


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_a_workflow_was_asked_one_text_and_answered_one(
    start_telemetry: StartTelemetry, knowing_lm: dspy.LM, is_async: bool
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    program = Geography()
    await program.acall(question=FRANCE.question) if is_async else program(question=FRANCE.question)
    attributes = telemetry.attributes("invoke_workflow Geography")
    [asked] = json.loads(attributes["gen_ai.input.messages"])
    [answered] = json.loads(attributes["gen_ai.output.messages"])
    assert asked["parts"][0]["content"] == "Capital of France?"
    assert (answered["parts"][0]["content"], answered["finish_reason"]) == ("Lyon", "stop")


def test_an_evaluation_names_model_and_signature_and_its_examples_prediction_and_feedback(
    start_telemetry: StartTelemetry, knowing_lm: dspy.LM
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    dspy.Evaluate(devset=[FRANCE], num_threads=1)(Geography(), metric=with_feedback)
    evaluation = telemetry.attributes("evaluate with_feedback")
    assert evaluation["dspy.lm.task"] == ["gpt-4o-mini"]
    assert evaluation["dspy.signature.fields"] == "question -> answer"
    example = telemetry.attributes("evaluate_example")
    assert json.loads(example["dspy.example.prediction"]) == {"answer": "Lyon"}
    assert example["dspy.example.feedback"] == "Wanted was Paris."


def test_a_bootstrap_tells_what_it_found_and_what_was_chosen(
    start_telemetry: StartTelemetry, knowing_lm: dspy.LM
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    optimizer = dspy.BootstrapFewShot(metric=with_feedback, metric_threshold=0.4, max_labeled_demos=0)
    optimizer.compile(Geography(), trainset=[FRANCE])
    instructions = {"answer": Geography().answer.signature.instructions}
    demos = {"answer": [{"augmented": True, "question": "Capital of France?", "answer": "Lyon"}]}
    trial, run = telemetry.attributes("optimize_trial"), telemetry.attributes("optimize BootstrapFewShot")
    assert json.loads(trial["dspy.optimizer.trial.instructions"]) == instructions
    assert json.loads(run["dspy.optimizer.best_instructions"]) == instructions
    assert json.loads(trial["dspy.optimizer.trial.demos"]) == demos
    assert json.loads(run["dspy.optimizer.best_demos"]) == demos
    assert telemetry.attributes("evaluate_example")["dspy.example.feedback"] == "Wanted was Paris."


def test_candidates_that_run_side_by_side_tell_their_instructions_and_feedback(
    start_telemetry: StartTelemetry, knowing_lm: dspy.LM
) -> None:
    pytest.importorskip("numpy")
    telemetry = start_telemetry(capture="SPAN_ONLY")
    optimizer = dspy.SIMBA(metric=with_feedback, bsize=1, num_candidates=2, max_steps=1, max_demos=1, num_threads=1)
    optimizer.compile(Geography(), trainset=[FRANCE])
    trials = [attributes_of(span) for span in telemetry.named("optimize_trial")]
    tried = [trial for trial in trials if trial["dspy.optimizer.trial.kind"] != "bootstrap"]
    assert tried != []
    assert {tuple(json.loads(trial["dspy.optimizer.trial.instructions"])) for trial in tried} == {("answer",)}
    examples = [attributes_of(span) for span in telemetry.named("evaluate_example")]
    assert {example["dspy.example.feedback"] for example in examples} == {"Wanted was Paris."}


def test_a_prompt_is_told_once(start_telemetry: StartTelemetry, knowing_lm: dspy.LM) -> None:
    telemetry = start_telemetry(capture="EVENT_ONLY")
    program = Geography()
    for _ in range(2):
        program(question=FRANCE.question)
    [event] = [log.log_record for log in telemetry.logs if log.log_record.event_name == "dspy.prompt"]
    assert event.attributes is not None
    assert event.attributes["gen_ai.prompt.name"] == "Geography.answer"
    assert event.attributes["dspy.prompt.instructions"] == program.answer.signature.instructions


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
async def test_adapters_and_embedders_tell_their_values(
    start_telemetry: StartTelemetry, knowing_lm: dspy.LM, monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS", "true")
    telemetry = start_telemetry(capture="SPAN_ONLY")
    program, embedder = Geography(), dspy.Embedder(lambda texts: [[1.0, float(len(text))] for text in texts])
    if is_async:
        await program.acall(question=FRANCE.question)
        await embedder.acall(["one", "two"])
    else:
        program(question=FRANCE.question)
        embedder(["one", "two"])
    adapter = telemetry.attributes("ChatAdapter answer")
    assert json.loads(adapter["dspy.adapter.inputs"]) == {"question": "Capital of France?"}
    assert json.loads(adapter["dspy.adapter.outputs"]) == [{"answer": "Lyon"}]
    [embeddings] = [attributes_of(span) for span in telemetry.spans if span.name.startswith("embeddings ")]
    assert json.loads(embeddings["dspy.embeddings.inputs"]) == ["one", "two"]
