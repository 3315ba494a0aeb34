"""Bootstrapped demonstrations: a trial for each round of ``BootstrapFewShot``, with a span for each example.

``BootstrapFewShot._bootstrap`` bounds a round: it lets the teacher answer one example after the other until it has
enough answers that the metric accepts. Each attempt passes ``_bootstrap_one_example``. Optimizers that subclass it
(InferRules) or make one (random search, MIPROv2, KNNFewShot) pass the same two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..context import current_call
from ..optimization.evaluation_results import ExampleOutcome
from ..optimization.evaluations import EVALUATION, Evaluation, OpenExample, open_example
from ..optimization.optimizer_runs import OPTIMIZER, OptimizerTrial
from ..optimization.scores import score_of
from ..optimization.trials import open_trial

if TYPE_CHECKING:
    from ..calls import Call
    from ..optimization.example_calls import ExampleCalls
    from ..telemetry import Telemetry

__all__ = ["BootstrapExampleRecorder", "BootstrapRecorder", "MetricRecorder"]


class BootstrapRecorder:
    """Makes one trial of each round."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> BootstrapRecording | None:
        """Start the trial, in an optimizer run alone."""
        place = OPTIMIZER.of(current_call())
        if place is None or place.trial is not None:
            return None
        optimizer = call.instance
        trial = open_trial(self._telemetry, "bootstrap")
        trial.tried.run(optimizer.teacher)
        evaluation = Evaluation(
            self._telemetry,
            optimizer,
            optimizer.teacher,
            vars(optimizer).get("metric"),
            trial.active,
            trial.context,
            repeats=True,
        )
        evaluation.number(optimizer.trainset)
        EVALUATION.put(trial.active, evaluation)
        trial.enter()
        return BootstrapRecording(trial, optimizer)


class BootstrapRecording:
    """One round under way."""

    __slots__ = ("_optimizer", "_trial")

    def __init__(self, trial: OptimizerTrial, optimizer: Any) -> None:
        self._trial = trial
        self._optimizer = optimizer

    def finish(self, result: Any) -> None:
        """End the trial: accepted if any answer became a demonstration."""
        found = self._optimizer.name2traces
        self._trial.accepted = any(found.values())
        self._trial.tried.found_demos = found
        self._trial.end()

    def fail(self, error: BaseException) -> None:
        """End the trial with the error."""
        self._trial.end(error)


class BootstrapExampleRecorder:
    """Makes one span of each attempt at an example."""

    def begin(self, call: Call) -> BootstrapExampleRecording | None:
        """Start the span of an attempt in a round."""
        evaluation = EVALUATION.of(current_call())
        if evaluation is None or evaluation.evaluator is not call.instance:
            return None
        example = call.arguments[0] if call.arguments else call.keyword_arguments["example"]
        return BootstrapExampleRecording(call.instance, open_example(evaluation, example))


class BootstrapExampleRecording:
    """One attempt under way."""

    __slots__ = ("_errors", "_opened", "_optimizer")

    def __init__(self, optimizer: Any, opened: OpenExample) -> None:
        self._optimizer = optimizer
        self._opened = opened
        self._errors = optimizer.error_count

    def finish(self, result: Any) -> None:
        """End the span with the metric's result.

        Without a metric there is nothing to know, and the result here is that of the comparison where there is a
        ``metric_threshold``. What the program or metric raised DSPy has caught and counted.
        """
        if self._optimizer.error_count > self._errors:
            self._opened.end(ExampleOutcome(error=self._opened.calls.error, failed=True))
        elif self._optimizer.metric is None:
            self._opened.end(ExampleOutcome())
        else:
            told = self._opened.calls.metric_result if self._optimizer.metric_threshold else result
            self._opened.end(ExampleOutcome(score=score_of(told)))

    def fail(self, error: BaseException) -> None:
        """End the span with the error that ended the whole run."""
        self._opened.end(ExampleOutcome(error=error, failed=True))


class MetricRecorder:
    """Notes what the metric of an optimizer that asks it itself raises: DSPy catches it and goes on."""

    def begin(self, call: Call) -> MetricRecording | None:
        """Find the example that the metric is asked about; anybody else who calls it is left alone."""
        calls = current_call().example_calls
        return None if calls is None else MetricRecording(calls)


class MetricRecording:
    """One call of a metric under way."""

    __slots__ = ("_calls",)

    def __init__(self, calls: ExampleCalls) -> None:
        self._calls = calls

    def finish(self, result: Any) -> None:
        """Note the result for the span of the example: an optimizer may tell no more of it than that it is enough."""
        self._calls.metric_result = result

    def fail(self, error: BaseException) -> None:
        """Note the error for the span of the example."""
        self._calls.metric_error = error
