"""``AvatarOptimizer``, which evaluates by itself: a trial for each evaluation, with a span for each example.

``thread_safe_evaluator`` bounds an evaluation and ``process_example`` an example, of which it catches the errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..calls import keyword_view
from ..context import current_call
from ..optimization.evaluation_results import ExampleOutcome
from ..optimization.evaluations import EVALUATION, Evaluation, OpenExample, open_example
from ..optimization.optimizer_runs import OPTIMIZER, OptimizerTrial
from ..optimization.scores import score_of
from ..optimization.trials import open_trial
from ..programs.running_modules import UNKNOWN

if TYPE_CHECKING:
    from ..calls import Call
    from ..telemetry import Telemetry

__all__ = ["AvatarEvaluationRecorder", "AvatarExampleRecorder"]


class AvatarEvaluationRecorder:
    """Makes one trial of each evaluation."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> AvatarEvaluationRecording | None:
        """Start the trial, in an optimizer run alone."""
        place = OPTIMIZER.of(current_call())
        if place is None or place.trial is not None:
            return None
        arguments = keyword_view(("devset", "actor", "return_outputs", "num_threads"), call)
        optimizer = call.instance
        trial = open_trial(self._telemetry, "full")
        trial.tried.run(arguments["actor"])
        evaluation = Evaluation(
            self._telemetry,
            optimizer,
            arguments["actor"],
            vars(optimizer).get("metric"),
            trial.active,
            trial.context,
            is_copied=True,
        )
        evaluation.number(arguments["devset"])
        EVALUATION.put(trial.active, evaluation)
        trial.enter()
        return AvatarEvaluationRecording(trial)


class AvatarEvaluationRecording:
    """One evaluation under way."""

    __slots__ = ("_trial",)

    def __init__(self, trial: OptimizerTrial) -> None:
        self._trial = trial

    def finish(self, result: Any) -> None:
        """End the trial with the mean of the scores."""
        self._trial.score = score_of(result[0] if isinstance(result, tuple) else result).value
        self._trial.end()

    def fail(self, error: BaseException) -> None:
        """End the trial with the error."""
        self._trial.end(error)


class AvatarExampleRecorder:
    """Makes one span of each example."""

    def begin(self, call: Call) -> AvatarExampleRecording | None:
        """Start the span of an example in an evaluation."""
        evaluation = EVALUATION.of(current_call())
        if evaluation is None or evaluation.evaluator is not call.instance:
            return None
        arguments = keyword_view(("actor", "example", "return_outputs"), call)
        return AvatarExampleRecording(open_example(evaluation, arguments["example"]))


class AvatarExampleRecording:
    """One example under way."""

    __slots__ = ("_opened",)

    def __init__(self, opened: OpenExample) -> None:
        self._opened = opened

    def finish(self, result: Any) -> None:
        """End the span with the score, and with the error that was caught and counts 0."""
        error = self._opened.calls.error
        _, prediction, score = result if isinstance(result, tuple) else (None, UNKNOWN, result)
        is_failed = error is not None or (isinstance(result, tuple) and prediction is None)
        self._opened.end(ExampleOutcome(prediction, score_of(score), error, is_failed))

    def fail(self, error: BaseException) -> None:
        """End the span with the error."""
        self._opened.end(ExampleOutcome(error=error, failed=True))
