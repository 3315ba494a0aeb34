"""Bootstrapped demonstrations: a trial for each round of ``BootstrapFewShot``, with a span for each example.

``BootstrapFewShot._bootstrap`` bounds a round: it lets the teacher answer one example after the other until it has
enough answers that the metric accepts. Each attempt passes ``_bootstrap_one_example``. Optimizers that subclass it
(InferRules) or make one (random search, MIPROv2, KNNFewShot) pass the same two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..openings import note
from ..optimization.evaluation_results import ExampleOutcome
from ..optimization.evaluations import EVALUATION, Evaluation
from ..optimization.example_calls import EXAMPLE_CALLS
from ..optimization.optimizer_runs import OPTIMIZER
from ..optimization.scores import score_of
from ..reading import read_past
from ..wrapping.calls import Noter, Recording
from .examples import OpenExample, open_example
from .trials import OpenTrial, open_trial

if TYPE_CHECKING:
    from ..context import Call
    from ..telemetry import Telemetry

__all__ = ["BootstrapExampleRecorder", "BootstrapRecorder", "MetricRecorder"]


class BootstrapRecorder:
    """Makes one trial of each round."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> BootstrapRecording | None:
        """Start the trial, in an optimizer run alone."""
        place = OPTIMIZER.of(call)
        if place is None or place.trial is not None:
            return None
        optimizer = call.instance
        trial = open_trial(self._telemetry, "bootstrap")
        trial.enter(call)
        trial.tried.run(optimizer.teacher)
        evaluation = Evaluation(
            self._telemetry,
            optimizer,
            optimizer.teacher,
            read_past(optimizer, "__dict__").get("metric"),
            trial.call,
            trial.context,
            repeats=True,
        )
        evaluation.number(optimizer.trainset)
        EVALUATION.put(trial.call, evaluation)
        return BootstrapRecording(trial, optimizer)


class BootstrapRecording(Recording):
    """One round under way."""

    __slots__ = ("_optimizer", "_trial")

    def __init__(self, trial: OpenTrial, optimizer: Any) -> None:
        self._trial = trial
        self._optimizer = optimizer

    def finish(self, result: Any) -> None:
        """Note whether it was accepted: if any answer became a demonstration."""
        found = self._optimizer.name2traces
        self._trial.accepted = any(found.values())
        self._trial.tried.found_demos = found


class BootstrapExampleRecorder:
    """Makes one span of each attempt at an example."""

    def begin(self, call: Call) -> BootstrapExampleRecording | None:
        """Start the span of an attempt in a round."""
        evaluation = EVALUATION.of(call)
        if evaluation is None or evaluation.evaluator is not call.instance:
            return None
        example = call.arguments[0] if call.arguments else call.keyword_arguments["example"]
        opened = open_example(evaluation, example)
        note(call, opened)
        return BootstrapExampleRecording(call.instance, opened)


class BootstrapExampleRecording(Recording):
    """One attempt under way."""

    __slots__ = ("_errors", "_opened", "_optimizer")

    def __init__(self, optimizer: Any, opened: OpenExample) -> None:
        self._optimizer = optimizer
        self._opened = opened
        self._errors = optimizer.error_count

    def finish(self, result: Any) -> None:
        """Note the metric's result.

        Without a metric there is nothing to know, and the result here is that of the comparison where there is a
        ``metric_threshold``. What the program or metric raised DSPy has caught and counted.
        """
        if self._optimizer.error_count > self._errors:
            self._opened.outcome = ExampleOutcome(error=self._opened.calls.error, failed=True)
        elif self._optimizer.metric is not None:
            told = self._opened.calls.metric_result if self._optimizer.metric_threshold else result
            self._opened.outcome = ExampleOutcome(score=score_of(told))


class MetricRecorder(Noter):
    """Notes what the metric of an optimizer that asks it itself raises: DSPy catches it and goes on."""

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Note the result for the span of the example: an optimizer may tell no more of it than that it is enough."""
        calls = EXAMPLE_CALLS.of(around)
        if calls is not None:
            calls.metric_result = result

    def raised(self, around: Call, instance: Any, arguments: tuple[Any, ...], error: BaseException) -> None:
        """Note the error for the span of the example."""
        calls = EXAMPLE_CALLS.of(around)
        if calls is not None:
            calls.metric_error = error
