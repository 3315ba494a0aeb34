"""Every optimizer that DSPy ships, at the end of a budget: it ends at once, and tells the best that it has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from recorded import attributes_of
from runs import RUNS, TRAINSET, VALSET, Run
from scripted_task import Sums, answer, is_right, quiet
from stopped import ask, stopped, wait_for_workers
from test_training import Actor, Trainer

from opentelemetry.instrumentation.dspy import BudgetExceededError, UsageScope, usage_scope

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded

pytestmark = [pytest.mark.timeout(100), pytest.mark.complaints]

asking = pytest.mark.parametrize(
    "run",
    [
        pytest.param(run, id=run.name, marks=pytest.mark.skipif(not run.is_available, reason=f"needs {run.needs}"))
        for run in RUNS
        if run.roles
    ],
)

THREADS = 2
"""At work at the same time in every one of these runs."""

GRACEFUL = "GEPA"


class Cut:
    """A run that a bound has cut, and what it said."""

    def __init__(self, run: Run, server: ModelServer, **bounds: Any) -> None:
        server.reply = run.model()
        before = len(server.requests)
        self.program: dspy.Module | None = None
        self.error: BudgetExceededError | None = None
        self.usage: UsageScope
        began = time.monotonic()
        try:
            with quiet(), usage_scope(**bounds) as self.usage:
                self.program = run.compile()
        except BudgetExceededError as error:
            self.error = error
        self.seconds = time.monotonic() - began
        wait_for_workers()
        self.sent = len(server.requests) - before


@asking
def test_a_bound_of_calls_is_kept_to_the_call(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, run: Run
) -> None:
    bound = sum(run.roles.values()) // 2
    cut = Cut(run, model_server, max_calls=bound)
    assert cut.sent <= bound
    assert cut.usage.exceeded == "max_calls"
    [span] = [span for span in telemetry.spans if span.parent is None and span.name.startswith("optimize ")]
    told = attributes_of(span)
    assert told["dspy.budget.exceeded"] == "max_calls"
    assert cut.sent == cut.usage.lm_calls
    # The span ends at once, and calls that were under way in other threads end after it.
    assert cut.sent - THREADS < told["dspy.usage.lm_calls"] <= cut.sent
    if run.name == GRACEFUL:
        assert isinstance(cut.program, Sums)
        assert "error.type" not in told
        assert len(told["dspy.optimizer.best_prompt_versions"]) == 1
    else:
        assert cut.sent == bound
        assert cut.error is not None
        assert str(cut.error).startswith(f"The budget of {bound} call")
        assert told["error.type"] == "opentelemetry.instrumentation.dspy.BudgetStop"
        scored = "dspy.optimizer.best_score" in told
        assert (cut.error.best_program is not None) == scored
    [point] = telemetry.metric_points("dspy.budget.exceeded")
    assert point.value == 1


@asking
def test_a_bound_in_dollars_is_kept_but_for_what_was_under_way(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, run: Run
) -> None:
    whole = Cut(run, model_server)
    telemetry.clear()
    bound = whole.usage.cost / 2
    cut = Cut(run, model_server, max_cost=bound)
    assert cut.usage.exceeded == "max_cost"
    dearest = max(attributes_of(span).get("gen_ai.usage.cost.amount", 0.0) for span in telemetry.named(CHAT))
    assert cut.usage.cost <= bound + THREADS * dearest
    assert cut.sent < whole.sent
    # It ends where it is, and not after all its rounds of errors.
    assert cut.seconds < whole.seconds + 5
    assert (cut.program is None) == (run.name != GRACEFUL)


CHAT = "chat gpt-4o-mini"


def test_the_best_program_so_far_is_a_copy_of_the_one_that_scored_best(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    [run] = [run for run in RUNS if run.name == "COPRO"]
    cut = Cut(run, model_server, max_calls=sum(run.roles.values()) - 2)
    assert cut.error is not None
    program = cut.error.best_program
    assert isinstance(program, Sums)
    trials = map(attributes_of, telemetry.named("optimize_trial"))
    best = max(trials, key=lambda trial: trial.get("dspy.optimizer.trial.score", -1.0))
    assert best["dspy.optimizer.trial.score"] == telemetry.attributes("optimize COPRO")["dspy.optimizer.best_score"]
    # What the optimizer does with its own programs afterwards does not reach the copy.
    with quiet():
        score = dspy.Evaluate(devset=TRAINSET, metric=is_right, num_threads=2)(program)
    assert score is not None


def test_gepa_returns_its_best_also_where_the_stop_comes_in_the_middle_of_an_evaluation(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    [run] = [run for run in RUNS if run.name == GRACEFUL]
    for bound in range(len(VALSET), sum(run.roles.values()) - 1, 3):
        telemetry.clear()
        cut = Cut(run, model_server, max_calls=bound)
        assert cut.sent <= bound
        assert isinstance(cut.program, Sums)
        assert telemetry.attributes("optimize GEPA")["dspy.budget.exceeded"] == "max_calls"


def test_gepa_that_has_nothing_yet_ends_with_the_error(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    [run] = [run for run in RUNS if run.name == GRACEFUL]
    cut = Cut(run, model_server, max_calls=len(VALSET) - 2)
    assert (cut.program, cut.sent) == (None, len(VALSET) - 2)
    assert cut.error is not None
    assert cut.error.best_program is None


def test_gepa_goes_on_to_raise_what_is_no_budget(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    model_server.reply = answer

    def broken(*_: Any) -> dict[str, str]:
        raise LookupError("mine")

    optimizer = dspy.GEPA(
        metric=is_right, max_metric_calls=36, reflection_minibatch_size=3, instruction_proposer=broken
    )
    # gepa survives what a proposer raises, and says so; what its sampler raises it does not.
    optimizer.gepa_kwargs = {"batch_sampler": Broken()}
    optimizer.reflection_minibatch_size = None
    with quiet(), pytest.raises(LookupError, match="sampler"), usage_scope(max_calls=1000):
        optimizer.compile(Sums(), trainset=TRAINSET, valset=VALSET)


class Broken:
    """A sampler that fails."""

    def next_minibatch_ids(self, *_: Any, **__: Any) -> list[int]:
        raise LookupError("sampler")


def test_a_program_that_learns_when_it_is_called_is_stopped_there(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    [run] = [run for run in RUNS if run.name == "KNNFewShot"]
    model_server.reply = run.model()
    with quiet():
        program = run.compile()
        stopped(lambda: ask(program, ["What is 1 plus 2?", "What is 2 plus 3?"]), max_calls=3)
    assert len(model_server.requests) <= 3


@pytest.mark.parametrize("name", ["BootstrapFinetune", "GRPO", "AvatarOptimizer"])
def test_optimizers_that_train_a_model_or_use_pools_of_their_own_are_stopped(
    telemetry: Recorded, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    model_server.reply = answer
    settings = {"api_base": model_server.url, "api_key": "test-key", "cache": False, "provider": Trainer()}
    language_model = dspy.LM("openai/gpt-4o-mini", **settings)
    dspy.configure(lm=language_model)
    # AvatarOptimizer asks for a predictor class that DSPy 2.6 and later no longer have.
    monkeypatch.setattr(dspy, "TypedPredictor", dspy.Predict, raising=False)
    student: dspy.Module = Actor() if name == "AvatarOptimizer" else Sums()
    student.set_lm(language_model)

    def compile_one() -> None:
        if name == "GRPO":
            from dspy.teleprompt.grpo import GRPO

            sizes = {"num_dspy_examples_per_grpo_step": 2, "num_rollouts_per_grpo_step": 2, "num_train_steps": 2}
            optimizer: Any = GRPO(
                metric=is_right, exclude_demos=True, num_threads=2, adapter=dspy.ChatAdapter(), **sizes
            )
        elif name == "BootstrapFinetune":
            optimizer = dspy.BootstrapFinetune(metric=is_right, num_threads=2)
        else:
            optimizer = dspy.AvatarOptimizer(metric=is_right, max_iters=2)
        optimizer.compile(student, trainset=TRAINSET)

    with quiet():
        error = stopped(compile_one, max_calls=3)
    wait_for_workers()
    assert (error.bound, len(model_server.requests)) == ("max_calls", 3)
    assert telemetry.attributes(f"optimize {name}")["dspy.budget.exceeded"] == "max_calls"
