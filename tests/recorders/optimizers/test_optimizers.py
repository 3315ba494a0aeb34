"""Runs of every optimizer: their trees, trials, sums and results."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cloudpickle
import pytest
from recorded import attributes_of
from runs import RUNS, Run, of_this_version
from scripted_task import Totals, by_role, outline, quiet, roles_of_calls, rolled_up, state_of, totals, trials

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from pathlib import Path

    import dspy
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

every_optimizer = pytest.mark.parametrize(
    "run",
    [pytest.param(run, id=run.name, marks=() if run.is_available else pytest.mark.skip(run.needs)) for run in RUNS],
)


@dataclass(frozen=True, slots=True)
class Ran:
    """What is left of a run that several tests look at."""

    telemetry: Recorded
    program: dspy.Module
    answered: Totals


_ran: dict[str, Ran] = {}


@pytest.fixture
def ran(
    run: Run,
    start_telemetry: StartTelemetry,
    monkeypatch: pytest.MonkeyPatch,
    lm: dspy.LM,
    model_server: ModelServer,
) -> Ran:
    """A run with instrumentation; each optimizer runs once for all the tests that only read."""
    if run.name not in _ran:
        monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES", "linked")
        telemetry = start_telemetry()
        program = compiled(run, model_server)
        DSPyInstrumentor().uninstrument()
        _ran[run.name] = Ran(telemetry, program, totals(model_server))
    return _ran[run.name]


def compiled(run: Run, model_server: ModelServer) -> dspy.Module:
    """The program that a run makes."""
    model_server.reply = run.model()
    with quiet():
        return run.compile()


def root_of(telemetry: Recorded) -> dict[str, Any]:
    """The attributes of the run's own span."""
    [root] = [span for span in telemetry.spans if span.parent is None and span.name.startswith("optimize ")]
    return attributes_of(root)


def results_of(program: dspy.Module) -> dict[str, Any]:
    """All that an optimizer leaves on a program: its prompts, and the candidates with their scores."""
    candidates = getattr(program, "candidate_programs", [])
    return {
        "program": state_of(program),
        "candidates": [(candidate["score"], state_of(candidate["program"])) for candidate in candidates],
        "score": getattr(program, "score", None),
    }


@of_this_version
@every_optimizer
def test_the_trace_of_a_run_has_its_trials_and_proposals_and_none_of_its_examples(run: Run, ran: Ran) -> None:
    telemetry = ran.telemetry
    assert outline(telemetry) == run.tree


@of_this_version
@every_optimizer
def test_each_trial_tells_its_kind_its_score_and_whether_it_was_accepted(run: Run, ran: Ran) -> None:
    telemetry = ran.telemetry
    root = root_of(telemetry)
    found = trials(telemetry, root["dspy.optimizer.run_id"])
    named = ("dspy.optimizer.trial.kind", "dspy.optimizer.trial.score", "dspy.optimizer.trial.accepted")
    assert [tuple(trial.get(name) for name in named) for trial in found] == [
        (kind, score if score is None else pytest.approx(score), accepted) for kind, score, accepted in run.trials
    ]
    assert [trial["dspy.optimizer.trial"] for trial in found] == list(range(len(run.trials)))
    assert root["dspy.optimizer.trials"] == len(run.trials)


@every_optimizer
def test_the_best_score_so_far_never_falls_and_is_that_of_the_run(run: Run, ran: Ran) -> None:
    telemetry = ran.telemetry
    root = root_of(telemetry)
    found = trials(telemetry, root["dspy.optimizer.run_id"])
    whole = ("full", "reflection", "merge")
    full = [trial for trial in found if trial["dspy.optimizer.trial.kind"] in whole]
    best = [trial["dspy.optimizer.best_score"] for trial in full]
    assert best == sorted(best)
    assert root.get("dspy.optimizer.best_score") == (best[-1] if best else None)
    points = telemetry.metric_points("dspy.optimizer.best_score")
    by_name = {point.attributes["dspy.optimizer.name"]: point.value for point in points}
    assert by_name.get(root["dspy.optimizer.name"]) == root.get("dspy.optimizer.best_score")


@every_optimizer
def test_the_roll_up_of_a_run_is_the_sum_over_all_its_calls_and_over_the_roles(run: Run, ran: Ran) -> None:
    telemetry = ran.telemetry
    root, answered = root_of(telemetry), ran.answered
    calls = telemetry.named("chat gpt-4o-mini")
    price = sum(attributes_of(call)["gen_ai.usage.cost.amount"] for call in calls)
    # A call with n answers may be several requests (COPRO's), with their tokens added up.
    assert rolled_up(root).calls == len(calls)
    assert rolled_up(root).input_tokens == answered.input_tokens
    assert rolled_up(root).output_tokens == answered.output_tokens
    assert root.get("dspy.usage.cost", 0.0) == pytest.approx(price)
    assert by_role(root) == rolled_up(root)


@every_optimizer
def test_the_cost_of_a_run_grows_from_trial_to_trial_up_to_its_total(run: Run, ran: Ran) -> None:
    root = root_of(ran.telemetry)
    found = trials(ran.telemetry, root["dspy.optimizer.run_id"])
    costs = [trial["dspy.optimizer.cost"] for trial in found]
    assert costs == sorted(costs)
    assert all(cost <= root["dspy.usage.cost"] + 1e-12 for cost in costs)


@of_this_version
@every_optimizer
def test_each_call_has_the_role_that_it_plays(run: Run, ran: Ran) -> None:
    telemetry = ran.telemetry
    assert roles_of_calls(telemetry) == run.roles
    root = root_of(telemetry)
    counted = {role: root.get(f"dspy.usage.{role}.lm_calls", 0) for role in run.roles}
    assert counted == run.roles


@every_optimizer
def test_the_roll_ups_of_trials_and_of_what_is_beside_them_come_to_that_of_the_run(run: Run, ran: Ran) -> None:
    telemetry = ran.telemetry
    [root] = [span for span in telemetry.spans if span.parent is None and span.name.startswith("optimize ")]
    below = [span for span in telemetry.spans if span.parent and span.parent.span_id == root.context.span_id]
    # GEPA up to DSPy 3.2 asks its model directly, without a module.
    calls = sum(attributes_of(span).get("dspy.usage.lm_calls", span.name.startswith("chat ")) for span in below)
    assert calls == root_of(telemetry).get("dspy.usage.lm_calls", 0)


@every_optimizer
def test_an_optimizer_comes_to_the_same_result_with_and_without_instrumentation(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, run: Run
) -> None:
    with_us = results_of(compiled(run, model_server))
    assert telemetry.spans != []
    requests = len(model_server.requests)
    DSPyInstrumentor().uninstrument()
    telemetry.clear()
    without_us = results_of(compiled(run, model_server))
    assert telemetry.spans == []
    assert with_us == without_us
    assert len(model_server.requests) == 2 * requests


@every_optimizer
def test_a_compiled_program_is_copied_and_saved_as_without_instrumentation(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, run: Run, tmp_path: Path
) -> None:
    program = compiled(run, model_server)
    assert state_of(program.deepcopy()) == state_of(program)
    program.save(tmp_path / "with.json")
    # As DSPy's save_program does it: its signatures are classes that plain pickle does not find.
    assert state_of(pickle.loads(cloudpickle.dumps(program))) == state_of(program)
    DSPyInstrumentor().uninstrument()
    program = compiled(run, model_server)
    program.save(tmp_path / "without.json")
    saved, expected = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("with", "without"))
    assert saved == expected
    if run.name != "Ensemble":
        loaded = type(program)()
        loaded.load(tmp_path / "with.json")
        assert state_of(loaded) == state_of(program)


@every_optimizer
def test_the_chosen_programs_prompt_versions_are_those_that_its_calls_have_from_then_on(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, run: Run
) -> None:
    program = compiled(run, model_server)
    versions = root_of(telemetry)["dspy.optimizer.best_prompt_versions"]
    if run.name == "KNNFewShot":
        # Its program chooses demonstrations for each question, so no version stands for it.
        return
    telemetry.clear()
    with quiet():
        program(question="What is 4 plus 5?")
    used = [attributes_of(call)["gen_ai.prompt.version"] for call in telemetry.named("chat gpt-4o-mini")]
    assert [version.partition("=")[2] for version in versions] == used
    paths = [name for name, _ in program.named_predictors()]
    assert [version.partition("=")[0] for version in versions] == paths
