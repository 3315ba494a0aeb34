"""Examples that DSPy hands to its ``ParallelExecutor``: those of ``Evaluate``, and those of two optimizers.

``SIMBA`` and ``ReAnchor`` score candidates without ``Evaluate``; what they hand to the executor is all that marks a
candidate. SIMBA gives it, in turns, trajectories to learn from and the new candidates one after the other, and at last
the winners over all of the data (``teleprompt/simba.py``, steps 2 and 5, and after the last step).
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from ..budgets.enforcement import BOUNDS
from ..budgets.stop import BudgetStop
from ..context import with_call
from ..optimization.evaluation_results import ExampleOutcome, outcome_of_pair
from ..optimization.evaluations import EVALUATION, Evaluation
from ..optimization.optimizer_runs import OPTIMIZER, OptimizerRun, TrialKind
from ..optimization.scores import score_of
from ..wrapping.calls import Recording, keyword_view
from .candidates import Candidates
from .example_runs import recording_examples
from .examples import OpenExample, open_example
from .trials import OpenTrial, open_trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..context import Call
    from ..telemetry import Telemetry

__all__ = ["ExecutorRecorder"]

_REANCHOR = "dspy.teleprompt.reanchor.calibrate"


class ExecutorRecorder:
    """Puts a span around each example that runs in an executor."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> Recording | None:
        """Let the executor run its function with a span around it."""
        recording = self._begin(call)
        return CancellingRecording(call.instance, recording) if BOUNDS.are_set else recording

    def _begin(self, call: Call) -> TrialRecording | CandidatesRecording | None:
        function, data = _arguments(call)
        evaluation, place = EVALUATION.of(call), OPTIMIZER.of(call)
        caller = call.caller or call
        if evaluation is not None and caller.instance is evaluation.evaluator:
            evaluation.number(data)
            _record(call.instance, partial(open_example, evaluation), outcome_of_pair)
            return None
        if place is None or place.trial is not None or place.example is not None:
            return None
        if getattr(function, "__module__", None) == _REANCHOR:
            return self._begin_reanchor(call, place.run)
        if any(ancestor.__name__ == "SIMBA" for ancestor in type(place.run.optimizer).__mro__):
            return self._begin_simba(call, caller, place.run)
        return None

    def _begin_reanchor(self, call: Call, run: OptimizerRun) -> TrialRecording:
        function, examples = _arguments(call)
        seen = inspect.getclosurevars(function).nonlocals
        trial = open_trial(self._telemetry, "full")
        trial.enter(call)
        trial.tried.run(seen.get("program"))
        evaluation = Evaluation(
            self._telemetry, run.optimizer, seen.get("program"), seen.get("metric"), trial.call, trial.context
        )
        evaluation.number(examples)
        _record(call.instance, partial(open_example, evaluation), _outcome_of_score)
        return TrialRecording(trial, evaluation)

    def _begin_simba(self, call: Call, caller: Call, run: OptimizerRun) -> CandidatesRecording:
        _, pairs = _arguments(call)
        turn, last_turn = run.evaluations, 2 * getattr(run.optimizer, "max_steps", 0)
        run.evaluations += 1
        kind: TrialKind = "full" if turn == last_turn else "minibatch" if turn % 2 else "bootstrap"
        candidates = Candidates(self._telemetry, run, kind, caller, with_call(caller))
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


class CancellingRecording(Recording):
    """A run of the executor that a budget may end: what waits for a thread then is not begun."""

    __slots__ = ("_executor", "_recording")

    def __init__(self, executor: Any, recording: Recording | None) -> None:
        self._executor = executor
        self._recording = Recording() if recording is None else recording

    def finish(self, result: Any) -> None:
        """Let what was recorded take note."""
        self._recording.finish(result)

    def fail(self, error: BaseException) -> None:
        """Take back the items that wait; DSPy does that itself, but not for what is no ``Exception``."""
        if isinstance(error, BudgetStop):
            self._executor.cancel_jobs.set()
        self._recording.fail(error)

    def end(self, error: BaseException | None) -> None:
        """Let what was recorded take note."""
        self._recording.end(error)


class TrialRecording(Recording):
    """A candidate under way that is a whole run of the executor."""

    __slots__ = ("_evaluation", "_trial")

    def __init__(self, trial: OpenTrial, evaluation: Evaluation) -> None:
        self._trial = trial
        self._evaluation = evaluation

    def finish(self, result: Any) -> None:
        """Note the mean of the scores."""
        scores = self._evaluation.scores
        if scores:
            self._trial.score = sum(scores) / len(scores)


class CandidatesRecording(Recording):
    """Several candidates under way in one run of the executor."""

    __slots__ = ("_candidates",)

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates

    def end(self, error: BaseException | None) -> None:
        """End the trials that examples did not end, with the error if there was one."""
        self._candidates.end(error)
