"""``AvatarOptimizer``, which evaluates by itself: a trial for each evaluation, with a span for each example.

``thread_safe_evaluator`` bounds an evaluation and ``process_example`` an example, of which it catches the errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..openings import note
from ..optimization.evaluation_results import ExampleOutcome
from ..optimization.evaluations import EVALUATION, Evaluation
from ..optimization.optimizer_runs import OPTIMIZER
from ..optimization.scores import score_of
from ..programs.running_modules import UNKNOWN
from ..reading import read_past
from ..wrapping.calls import Recording, keyword_view
from .examples import OpenExample, open_example
from .trials import OpenTrial, open_trial

if TYPE_CHECKING:
    from ..context import Call
    from ..telemetry import Telemetry

__all__ = ["AvatarEvaluationRecorder", "AvatarExampleRecorder"]


class AvatarEvaluationRecorder:
    """Makes one trial of each evaluation."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> AvatarEvaluationRecording | None:
        """Start the trial, in an optimizer run alone."""
        place = OPTIMIZER.of(call)
        if place is None or place.trial is not None:
            return None
        arguments = keyword_view(("devset", "actor", "return_outputs", "num_threads"), call)
        optimizer = call.instance
        trial = open_trial(self._telemetry, "full")
        trial.enter(call)
        trial.tried.run(arguments["actor"])
        evaluation = Evaluation(
            self._telemetry,
            optimizer,
            arguments["actor"],
            read_past(optimizer, "__dict__").get("metric"),
            trial.call,
            trial.context,
            is_copied=True,
        )
        evaluation.number(arguments["devset"])
        EVALUATION.put(trial.call, evaluation)
        return AvatarEvaluationRecording(trial)


class AvatarEvaluationRecording(Recording):
    """One evaluation under way."""

    __slots__ = ("_trial",)

    def __init__(self, trial: OpenTrial) -> None:
        self._trial = trial

    def finish(self, result: Any) -> None:
        """Note the mean of the scores."""
        self._trial.score = score_of(result[0] if isinstance(result, tuple) else result).value


class AvatarExampleRecorder:
    """Makes one span of each example."""

    def begin(self, call: Call) -> AvatarExampleRecording | None:
        """Start the span of an example in an evaluation."""
        evaluation = EVALUATION.of(call)
        if evaluation is None or evaluation.evaluator is not call.instance:
            return None
        arguments = keyword_view(("actor", "example", "return_outputs"), call)
        opened = open_example(evaluation, arguments["example"])
        note(call, opened)
        return AvatarExampleRecording(opened)


class AvatarExampleRecording(Recording):
    """One example under way."""

    __slots__ = ("_opened",)

    def __init__(self, opened: OpenExample) -> None:
        self._opened = opened

    def finish(self, result: Any) -> None:
        """Note the score, and the error that was caught and counts 0."""
        error = self._opened.calls.error
        _, prediction, score = result if isinstance(result, tuple) else (None, UNKNOWN, result)
        is_failed = error is not None or (isinstance(result, tuple) and prediction is None)
        self._opened.outcome = ExampleOutcome(prediction, score_of(score), error, is_failed)
