"""Candidates whose examples run side by side in one executor, each of them a trial of its own: those of SIMBA."""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..context import current_call
from ..locks import ForkSafeLock
from .evaluation_results import ExampleOutcome
from .evaluations import Evaluation, OpenExample, open_example
from .scores import Score, score_of
from .trials import open_trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context

    from ..context import ActiveCall
    from ..telemetry import Telemetry
    from .optimizer_runs import OptimizerRun, OptimizerTrial, TrialKind

__all__ = ["Candidates"]


@dataclass(slots=True)
class _Candidate:
    """One trial, from its first example to its last."""

    number: int
    program: object
    examples: list[Any] = field(default_factory=list)
    left: int = 0
    trial: OptimizerTrial | None = None
    evaluation: Evaluation | None = None

    def end(self, error: BaseException | None = None) -> None:
        """End the trial with the mean of its scores."""
        if self.trial is None or self.evaluation is None:
            return
        scores = self.evaluation.scores
        # Trajectories of several programs are no candidate, and their mean is no score of one.
        if scores and self.trial.kind != "bootstrap":
            self.trial.score = sum(scores) / len(scores)
        self.trial.end(error)


@dataclass(slots=True)
class Candidates:
    """All candidates in one run of an executor."""

    telemetry: Telemetry
    run: OptimizerRun
    kind: TrialKind
    active: ActiveCall
    """The record of the call that runs the executor."""
    context: Context
    """The context of that call."""
    lock: ForkSafeLock = field(default_factory=ForkSafeLock, repr=False)
    _of_item: dict[int, tuple[_Candidate, object]] = field(default_factory=dict)
    _all: list[_Candidate] = field(default_factory=list)

    def divide(self, items: Sequence[tuple[Any, Any]]) -> None:
        """Sort the pairs of a function around a program, and an example: pairs of one program are one candidate.

        The trajectories that SIMBA learns from come from a copy of some program for each example; they are one trial.
        """
        for item in items:
            program = self._free_variable(item, "program")
            if not self._all or (self.kind != "bootstrap" and self._all[-1].program is not program):
                self._all.append(_Candidate(self.run.next_trial(), program))
            candidate = self._all[-1]
            candidate.examples.append(item[1])
            candidate.left += 1
            self._of_item[id(item)] = (candidate, program)

    def open(self, item: tuple[Any, Any]) -> OpenExample:
        """Start the span of an example, and that of its trial if it is the first one."""
        candidate, program = self._of_item[id(item)]
        with self.lock:
            evaluation = candidate.evaluation
            if evaluation is None:
                candidate.evaluation = evaluation = self._begin(candidate, item)
        return open_example(evaluation, item[1], program)

    def read(self, result: dict[str, Any]) -> ExampleOutcome:
        """Read what ``simba_utils.wrap_program`` makes of an example; it catches what the program and metric raise."""
        prediction = result["prediction"]
        score = score_of(result["score"])
        calls = current_call().example_calls
        explanation = None if calls is None else score_of(calls.metric_result).explanation
        error = None if calls is None else calls.error
        is_failed = error is not None or prediction is None
        return ExampleOutcome(prediction, Score(score.value, score.label, explanation), error, is_failed)

    def end(self, error: BaseException | None) -> None:
        """End the trials that examples did not end, because they were not run."""
        with ExitStack() as ends:
            # What one of them raises keeps none of the others open.
            for candidate in reversed(self._all):
                ends.callback(candidate.end, error)

    def _begin(self, candidate: _Candidate, item: tuple[Any, Any]) -> Evaluation:
        candidate.trial = trial = open_trial(
            self.telemetry, self.kind, within=self.active, context=self.context, number=candidate.number
        )
        if self.kind != "bootstrap":
            trial.tried.run(candidate.program)
        evaluation = Evaluation(
            self.telemetry,
            self.run.optimizer,
            candidate.program,
            vars(self.run.optimizer).get("metric"),
            trial.active,
            trial.context,
            # The trajectories visit an example once for each model.
            repeats=self.kind == "bootstrap",
            size=len(candidate.examples),
        )
        evaluation.number(candidate.examples[: len({id(example) for example in candidate.examples})])

        def after_each() -> None:
            with self.lock:
                candidate.left -= 1
                is_last = candidate.left == 0
            if is_last:
                candidate.end()

        evaluation.after_each = after_each
        return evaluation

    @staticmethod
    def _free_variable(item: tuple[Any, Any], name: str) -> Any:
        return inspect.getclosurevars(item[0]).nonlocals.get(name)
