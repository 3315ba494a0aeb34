"""Examples that DSPy hands to its ``ParallelExecutor``: those of ``Evaluate``, and those of two optimizers.

``SIMBA`` and ``ReAnchor`` score candidates without ``Evaluate``; what they hand to the executor is all that marks a
candidate. SIMBA gives it, in turns, trajectories to learn from and the new candidates one after the other, and at last
the winners over all of the data (``teleprompt/simba.py``, steps 2 and 5, and after the last step).
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from ..calls import keyword_view
from ..context import ActiveCall, current_call, with_call
from ..optimization.candidates import Candidates
from ..optimization.evaluation_results import ExampleOutcome, outcome_of_pair
from ..optimization.evaluations import EVALUATION, Evaluation, OpenExample, open_example
from ..optimization.example_runs import recording_examples
from ..optimization.optimizer_runs import OPTIMIZER, OptimizerRun, OptimizerTrial, TrialKind
from ..optimization.scores import score_of
from ..optimization.trials import open_trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..calls import Call
    from ..telemetry import Telemetry

__all__ = ["ExecutorRecorder"]

_REANCHOR = "dspy.teleprompt.reanchor.calibrate"


class ExecutorRecorder:
    """Puts a span around each example that runs in an executor."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> TrialRecording | CandidatesRecording | None:
        """Let the executor run its function with a span around it."""
        active = current_call()
        function, data = _arguments(call)
        evaluation, place = EVALUATION.of(active), OPTIMIZER.of(active)
        if evaluation is not None and active.instance is evaluation.evaluator:
            evaluation.number(data)
            _record(call.instance, partial(open_example, evaluation), outcome_of_pair)
            return None
        if place is None or place.trial is not None or place.example is not None:
            return None
        if getattr(function, "__module__", None) == _REANCHOR:
            return self._begin_reanchor(call, place.run)
        if any(ancestor.__name__ == "SIMBA" for ancestor in type(place.run.optimizer).__mro__):
            return self._begin_simba(call, active, place.run)
        return None

    def _begin_reanchor(self, call: Call, run: OptimizerRun) -> TrialRecording:
        function, examples = _arguments(call)
        seen = inspect.getclosurevars(function).nonlocals
        trial = open_trial(self._telemetry, "full")
        trial.tried.run(seen.get("program"))
        evaluation = Evaluation(
            self._telemetry, run.optimizer, seen.get("program"), seen.get("metric"), trial.active, trial.context
        )
        evaluation.number(examples)
        _record(call.instance, partial(open_example, evaluation), _outcome_of_score)
        trial.enter()
        return TrialRecording(trial, evaluation)

    def _begin_simba(self, call: Call, active: ActiveCall, run: OptimizerRun) -> CandidatesRecording:
        _, pairs = _arguments(call)
        turn, last_turn = run.evaluations, 2 * getattr(run.optimizer, "max_steps", 0)
        run.evaluations += 1
        kind: TrialKind = "full" if turn == last_turn else "minibatch" if turn % 2 else "bootstrap"
        candidates = Candidates(self._telemetry, run, kind, active, with_call(active))
        candidates.divide(pairs)
        _record(call.instance, candidates.open, candidates.read)
        return CandidatesRecording(candidates)


def _arguments(call: Call) -> tuple[Any, Any]:
    named = keyword_view(("function", "data"), call)
    return named["function"], named["data"]


def _record(executor: Any, open_one: Callable[[Any], OpenExample], read: Callable[[Any], ExampleOutcome]) -> None:
    """Let an executor, which was made for this one use, run its function with the span of an example around it."""
    wrap = executor._wrap_function
    executor._wrap_function = lambda function: wrap(recording_examples(open_one, function, read))


def _outcome_of_score(score: Any) -> ExampleOutcome:
    return ExampleOutcome(score=score_of(score))


class TrialRecording:
    """A candidate under way that is a whole run of the executor."""

    __slots__ = ("_evaluation", "_trial")

    def __init__(self, trial: OptimizerTrial, evaluation: Evaluation) -> None:
        self._trial = trial
        self._evaluation = evaluation

    def finish(self, result: Any) -> None:
        """End the trial with the mean of the scores."""
        scores = self._evaluation.scores
        if scores:
            self._trial.score = sum(scores) / len(scores)
        self._trial.end()

    def fail(self, error: BaseException) -> None:
        """End the trial with the error."""
        self._trial.end(error)


class CandidatesRecording:
    """Several candidates under way in one run of the executor."""

    __slots__ = ("_candidates",)

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates

    def finish(self, result: Any) -> None:
        """End what examples did not end."""
        self._candidates.end(None)

    def fail(self, error: BaseException) -> None:
        """End all trials with the error."""
        self._candidates.end(error)
