"""Candidates whose examples run side by side in one executor, each of them a trial of its own: those of SIMBA."""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..context import current_call
from ..locks import ForkSafeLock
from ..optimization.evaluation_results import ExampleOutcome
from ..optimization.evaluations import Evaluation
from ..optimization.example_calls import EXAMPLE_CALLS
from ..optimization.scores import Score, score_of
from ..reading import read_past
from .examples import OpenExample, open_example
from .trials import OpenTrial, open_trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context

    from ..context import Call
    from ..optimization.optimizer_runs import OptimizerRun, TrialKind
    from ..telemetry import Telemetry

__all__ = ["Candidates"]


@dataclass(slots=True)
class _Candidate:
    """One trial, from its first example to its last."""

    number: int
    program: object
    examples: list[Any] = field(default_factory=list)
    left: int = 0
    lock: ForkSafeLock = field(default_factory=ForkSafeLock, repr=False)
    """Held while its span begins."""
    trial: OpenTrial | None = None
    evaluation: Evaluation | None = None

    def end(self, error: BaseException | None = None) -> None:
        """End the trial with the mean of its scores."""
        if self.trial is None:
            return
        scores = self.evaluation.scores if self.evaluation is not None else []
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
    call: Call
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
        # Examples of one candidate wait for its span; what the application's parts do meanwhile keeps no other waiting.
        with candidate.lock:
            evaluation = candidate.evaluation
            if evaluation is None:
                candidate.evaluation = evaluation = self._begin(candidate, item)
        return open_example(evaluation, item[1], program)

    def read(self, result: dict[str, Any]) -> ExampleOutcome:
        """Read what ``simba_utils.wrap_program`` makes of an example; it catches what the program and metric raise."""
        prediction = result["prediction"]
        score = score_of(result["score"])
        calls = EXAMPLE_CALLS.of(current_call())
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
        trial = candidate.trial
        if trial is None:
            trial = open_trial(
                self.telemetry, self.kind, within=self.call, context=self.context, number=candidate.number
            )
            candidate.trial = trial
        if self.kind != "bootstrap":
            trial.tried.run(candidate.program)
        evaluation = Evaluation(
            self.telemetry,
            self.run.optimizer,
            candidate.program,
            read_past(self.run.optimizer, "__dict__").get("metric"),
            trial.call,
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
