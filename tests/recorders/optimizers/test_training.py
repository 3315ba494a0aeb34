"""Optimizers that train models, and the one whose own parts DSPy no longer has."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.clients.provider import Provider
from recorded import attributes_of
from runs import of_this_version
from scripted_task import Sums, answer, by_role, data, is_right, outline, quiet, rolled_up, totals, trials

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

TRAINSET, VALSET = data(4), data(3, start=20)


class Trainer(Provider):
    """A provider whose training leaves the model as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.finetunable = True
        self.reinforceable = True
        self.ReinforceJob = Steps

    @staticmethod
    def finetune(job: Any, model: str, train_data: Any, train_data_format: Any, train_kwargs: Any = None) -> str:
        return model


class Steps:
    """The job of GRPO."""

    def __init__(self, lm: dspy.LM, train_kwargs: Any = None) -> None:
        self.batches = 0

    def initialize(self) -> None:
        """Nothing to set up."""

    def get_status(self) -> dict[str, Any]:
        return {"pending_batch_ids": [self.batches]}

    def step(self, train_data: Any, train_data_format: Any) -> None:
        self.batches += 1

    def terminate(self) -> None:
        """Nothing to clean up."""


def evaluation_of(examples: int) -> str:
    """The outline of an evaluation in which each example asks the program once."""
    lines = ("evaluate is_right", f"  evaluate_example x{examples}", "    invoke_workflow Sums", "      Predict add")
    return "\n".join(f"    {line}" for line in (*lines, "        chat gpt-4o-mini"))


@pytest.fixture
def student(model_server: ModelServer) -> dspy.Module:
    model_server.reply = answer
    language_model = dspy.LM(
        "openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False, provider=Trainer()
    )
    dspy.configure(lm=language_model)
    program = Sums()
    program.set_lm(language_model)
    return program


def test_finetuning_is_a_run_whose_data_come_from_an_evaluation(
    telemetry: Recorded, student: dspy.Module, model_server: ModelServer
) -> None:
    with quiet():
        optimizer = dspy.BootstrapFinetune(metric=is_right, num_threads=2)
        optimizer.compile(student, trainset=TRAINSET)
    assert outline(telemetry) == f"optimize BootstrapFinetune\n  optimize_trial bootstrap\n{evaluation_of(4)}"
    run = telemetry.attributes("optimize BootstrapFinetune")
    assert rolled_up(run) == by_role(run) == totals(model_server)
    assert run["dspy.usage.task.lm_calls"] == 4
    scores = [attributes_of(span)["dspy.evaluate.example.score"] for span in telemetry.named("evaluate_example")]
    assert len(scores) == 4


@of_this_version
def test_reinforcement_is_a_run_with_its_evaluations(
    telemetry: Recorded, student: dspy.Module, model_server: ModelServer
) -> None:
    from dspy.teleprompt.grpo import GRPO

    with quiet():
        optimizer = GRPO(
            metric=is_right,
            num_train_steps=2,
            num_dspy_examples_per_grpo_step=2,
            num_rollouts_per_grpo_step=2,
            exclude_demos=True,
            num_threads=2,
            num_steps_for_val=1,
            report_train_scores=False,
            adapter=dspy.ChatAdapter(),
        )
        optimizer.compile(student, trainset=TRAINSET, valset=VALSET)
    step = f"\n  optimize_trial bootstrap\n{evaluation_of(4)}\n  optimize_trial full\n{evaluation_of(3)}"
    assert outline(telemetry) == f"optimize GRPO\n  optimize_trial full\n{evaluation_of(3)}{step}{step}"
    run = telemetry.attributes("optimize GRPO")
    assert rolled_up(run) == by_role(run) == totals(model_server)
    # The validation set three times, and in each step two examples with two tries each.
    assert run["dspy.usage.task.lm_calls"] == 3 * 3 + 2 * 4


class Actor(dspy.Module):  # type: ignore[misc]
    """An agent as AvatarOptimizer takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.actor = dspy.Predict("question -> answer")
        self.actor_clone = self.actor
        self.tools: list[Any] = []

    def forward(self, question: str) -> dspy.Prediction:
        return dspy.Prediction(answer=self.actor(question=question).answer, actions=None)


def test_the_avatar_optimizer_evaluates_in_threads_of_its_own(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AvatarOptimizer asks for a predictor class that DSPy 2.6 and later no longer have.
    monkeypatch.setattr(dspy, "TypedPredictor", dspy.Predict, raising=False)

    model_server.reply = answer
    with quiet():
        optimizer = dspy.AvatarOptimizer(metric=is_right, max_iters=2)
        optimizer.compile(Actor(), trainset=data(8))
    root = telemetry.attributes("optimize AvatarOptimizer")
    assert rolled_up(root) == by_role(root) == totals(model_server)
    assert (root["dspy.usage.task.lm_calls"], root["dspy.usage.proposal.lm_calls"]) == (16, 4)
    found = trials(telemetry, root["dspy.optimizer.run_id"])
    assert [trial["dspy.optimizer.trial.kind"] for trial in found] == ["full", "full"]
    first = [
        attributes_of(span)["dspy.evaluate.example.score"]
        for span in telemetry.named("evaluate_example")
        if attributes_of(span)["dspy.optimizer.trial"] == 0
    ]
    assert len(first) == 8
    assert found[0]["dspy.optimizer.trial.score"] == sum(first) / 8


def test_examples_and_trials_of_the_avatar_optimizer_have_their_content(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dspy, "TypedPredictor", dspy.Predict, raising=False)
    telemetry = start_telemetry(capture="SPAN_ONLY")
    asked: list[str] = []

    def every_other(example: dspy.Example, prediction: dspy.Prediction) -> dspy.Prediction:
        asked.append(prediction.answer)
        return dspy.Prediction(score=float(example.question == TRAINSET[0].question), feedback="Seen.")

    monkeypatch.setattr(dspy.Prediction, "__radd__", lambda self, other: other + self.score, raising=False)
    model_server.reply = answer
    with quiet():
        program = dspy.AvatarOptimizer(metric=every_other, max_iters=2).compile(Actor(), trainset=TRAINSET[:2])
    found = [attributes_of(span) for span in telemetry.named("evaluate_example")]
    assert sorted(json.loads(each["dspy.example.prediction"])["answer"] for each in found) == sorted(asked)
    assert {each["dspy.example.feedback"] for each in found} == {"Seen."}
    run = telemetry.attributes("optimize AvatarOptimizer")
    first, second = trials(telemetry, run["dspy.optimizer.run_id"])
    assert json.loads(first["dspy.optimizer.trial.instructions"])["actor"] == Actor().actor.signature.instructions
    chosen = json.loads(run["dspy.optimizer.best_instructions"])
    assert json.loads(second["dspy.optimizer.trial.instructions"]) == chosen
    assert chosen["actor"] == program.actor.signature.instructions != Actor().actor.signature.instructions


def test_a_metric_that_the_avatar_optimizer_survives_is_an_error_of_its_example(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dspy, "TypedPredictor", dspy.Predict, raising=False)

    def unscaled(example: dspy.Example, prediction: dspy.Prediction) -> float:
        raise ZeroDivisionError("no such scale")

    model_server.reply = answer
    with quiet(), contextlib.suppress(ValueError):  # Without any good example it cannot compare, and gives up.
        dspy.AvatarOptimizer(metric=unscaled, max_iters=1).compile(Actor(), trainset=data(2))
    spans = telemetry.named("evaluate_example")
    assert [attributes_of(span)["error.type"] for span in spans] == ["ZeroDivisionError"] * len(spans)
    assert len(spans) >= 2
