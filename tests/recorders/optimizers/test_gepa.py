"""GEPA, whose iterations are told by ``gepa``'s own callbacks."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from recorded import attributes_of
from runs import of_this_version
from scripted_task import answer, by_role, data, is_right, quiet, roles_of_calls, rolled_up, trials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_server import ModelServer, Request
    from recorded import Recorded

pytestmark = pytest.mark.skipif(
    find_spec("gepa") is None or find_spec("gepa.core.callbacks") is None, reason="gepa has no callbacks here."
)

TRAINSET, VALSET = data(8), data(6, start=20)


class TwoSteps(dspy.Module):
    """Two predictors, so that candidates can be merged."""

    def __init__(self) -> None:
        super().__init__()
        self.plan = dspy.Predict("question -> plan")
        self.add = dspy.Predict("question, plan -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.add(question=question, plan=self.plan(question=question).plan)


class Listener:
    """A callback of the user's."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def on_iteration_start(self, event: Mapping[str, Any]) -> None:
        self.events.append(("start", event["iteration"]))

    def on_iteration_end(self, event: Mapping[str, Any]) -> None:
        self.events.append(("end", event["iteration"]))


@pytest.fixture
def scripted(lm: dspy.LM, model_server: ModelServer) -> ModelServer:
    model_server.reply = answer
    return model_server


def optimizer(**settings: Any) -> dspy.GEPA:
    given = {"metric": is_right, "max_metric_calls": 36, "reflection_minibatch_size": 3, "num_threads": 2, **settings}
    return dspy.GEPA(reflection_lm=dspy.settings.lm, **given)


def iterations(telemetry: Recorded) -> list[dict[str, Any]]:
    return trials(telemetry, telemetry.attributes("optimize GEPA")["dspy.optimizer.run_id"])


def test_the_callbacks_of_the_user_are_kept(telemetry: Recorded, scripted: ModelServer) -> None:
    listener = Listener()
    callbacks = [listener]
    with quiet():
        optimizer(gepa_kwargs={"callbacks": callbacks}).compile(dspy.Predict("question -> answer"), trainset=TRAINSET)
    found = iterations(telemetry)
    started = [iteration for what, iteration in listener.events if what == "start"]
    assert len(started) == len([trial for trial in found if trial["dspy.optimizer.trial.kind"] == "reflection"]) > 1
    assert callbacks == [listener]


@of_this_version
def test_a_trial_tells_parents_components_budget_and_pareto_front(telemetry: Recorded, scripted: ModelServer) -> None:
    with quiet():
        optimizer(track_stats=True).compile(dspy.Predict("question -> answer"), trainset=TRAINSET, valset=VALSET)
    seed, *others = iterations(telemetry)
    assert (seed["dspy.optimizer.trial.kind"], seed["dspy.optimizer.trial.candidate"]) == ("full", 0)
    for trial in others:
        used, left = trial["dspy.optimizer.metric_calls"], trial["dspy.optimizer.metric_calls_remaining"]
        assert left == max(0, 36 - used)
        assert trial["dspy.optimizer.trial.parents"] == [0]
    [accepted] = [trial for trial in others if trial["dspy.optimizer.trial.accepted"]]
    assert accepted["dspy.optimizer.trial.candidate"] == 1
    assert accepted["dspy.optimizer.trial.components"] == ["self"]
    assert 1 in accepted["dspy.optimizer.pareto_front"]


def test_the_score_of_an_accepted_candidate_is_the_one_that_gepa_reports(
    telemetry: Recorded, scripted: ModelServer
) -> None:
    with quiet():
        program = optimizer(track_stats=True, max_metric_calls=60).compile(
            dspy.Predict("question -> answer"), trainset=TRAINSET, valset=VALSET
        )
    found = iterations(telemetry)
    scores = {
        trial["dspy.optimizer.trial.candidate"]: trial["dspy.optimizer.trial.score"]
        for trial in found
        if trial["dspy.optimizer.trial.accepted"]
    }
    reported = program.detailed_results.val_aggregate_scores
    assert scores == pytest.approx(dict(enumerate(reported)))
    assert telemetry.attributes("optimize GEPA")["dspy.optimizer.best_score"] == pytest.approx(max(reported))


def specialists(request: Request) -> Mapping[str, object]:
    """A model that gets odd sums right with a good plan, and even ones if it is told how to add.

    Without either it gets every fourth right, so that the first program stays on the Pareto front: both specialists
    come from it, and can be merged.
    """
    names = [field.name for field in request.prompt.fields]
    text, question = request.prompt.text, request.prompt.last_message
    if names not in (["plan"], ["answer"]):
        # What GEPA shows of the instructions to improve tells which of the two it is about.
        return {names[-1]: "PLAN WELL" if "produce the fields `plan`" in text else "ADD WELL"}
    first, second = map(int, re.findall(r"What is (\d+) plus (\d+)\?", question)[-1])
    if names == ["plan"]:
        return {"plan": "good" if "PLAN WELL" in text else "none"}
    planned, told = "good" in question, "ADD WELL" in text
    is_known = planned if first % 2 else told or (first % 4 == 0 and not planned)
    return {"answer": str(first + second) if is_known else "no idea"}


@of_this_version
def test_a_merge_is_a_trial_of_its_own_kind(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    model_server.reply = specialists
    with quiet():
        optimizer(max_metric_calls=80, seed=5).compile(TwoSteps(), trainset=data(8), valset=data(8))
    found = iterations(telemetry)
    merges = [trial for trial in found if trial["dspy.optimizer.trial.kind"] == "merge"]
    assert [trial["dspy.optimizer.trial.accepted"] for trial in merges] == [True]
    assert merges[0]["dspy.optimizer.trial.parents"] == [2, 3]
    assert merges[0]["dspy.optimizer.trial.score"] == 1.0
    assert merges[0]["dspy.optimizer.best_score"] == 1.0


def test_a_judge_that_gepa_asks_for_feedback_is_no_proposal(telemetry: Recorded, scripted: ModelServer) -> None:
    def with_feedback(
        example: dspy.Example, prediction: dspy.Prediction, trace: Any = None, name: Any = None, part: Any = None
    ) -> Any:
        verdict = dspy.Predict("claim -> verdict")(claim=f"{example.question} {prediction.answer}").verdict
        return dspy.Prediction(score=float(verdict == "right"), feedback=f"That was {verdict}.")

    with quiet():
        optimizer(metric=with_feedback).compile(dspy.Predict("question -> answer"), trainset=TRAINSET)
    asked = [
        next(field.name for field in request.prompt.fields) if request.prompt.fields else ""
        for request in scripted.requests
    ]
    counted = roles_of_calls(telemetry)
    assert (counted["task"], counted["judge"]) == (asked.count("answer"), asked.count("verdict"))
    assert counted["proposal"] == len(asked) - counted["task"] - counted["judge"] > 0
    run = telemetry.attributes("optimize GEPA")
    assert by_role(run) == rolled_up(run)


def test_an_error_ends_iteration_and_run(telemetry: Recorded, scripted: ModelServer) -> None:
    class Broken:
        def next_minibatch_ids(self, loader: Any, state: Any) -> list[int]:
            raise LookupError("no batch")

    with quiet(), pytest.raises(LookupError, match="no batch"):
        optimizer(gepa_kwargs={"batch_sampler": Broken()}, reflection_minibatch_size=None).compile(
            dspy.Predict("question -> answer"), trainset=TRAINSET
        )
    last = telemetry.named("optimize_trial")[-1]
    assert attributes_of(last)["error.type"] == "LookupError"
    assert telemetry.attributes("optimize GEPA")["error.type"] == "LookupError"
