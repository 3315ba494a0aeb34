"""An optimizer run under way: its trials, its best score so far, and what each role used."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from .. import semconv
from ..budgets.best_programs import BestPrograms
from ..budgets.enforcement import BOUNDS
from ..locks import ForkSafeLock
from ..slots import Slot
from ..usage import UsageScope
from .program_texts import TriedProgram

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from ..config import OptimizerTraces

__all__ = ["OPTIMIZER", "ExamplePlace", "OptimizerPlace", "OptimizerRun", "OptimizerTrial", "Role", "TrialKind"]

Role: TypeAlias = Literal["task", "judge", "proposal"]
"""What a language model call is for: the program under evaluation, a metric, or the optimizer's own work."""

TrialKind: TypeAlias = Literal["full", "minibatch", "bootstrap", "reflection", "merge"]

MAX_NESTED_EXAMPLES = 200
"""Examples that ``auto`` leaves in the trace of a run: with some ten spans each, as many as a trace view can open."""

MAX_LINKS = 128
"""Links that the SDK keeps of a span by default; those that come later push out the first."""

_WHOLE: frozenset[TrialKind] = frozenset({"full", "reflection", "merge"})
"""Kinds whose score can be the best of the run even where other trials see a part of the data alone."""


@dataclass(slots=True)
class OptimizerRun:
    """One logical ``compile``."""

    optimizer: object
    name: str
    traces: OptimizerTraces
    scope: UsageScope
    parent: OptimizerRun | None = None
    """The run of the optimizer that called this one."""
    run_id: str = field(default_factory=lambda: os.urandom(8).hex())
    """Not from ``random``: an optimizer that draws from it must draw the same numbers with us and without us."""
    planned_trials: int | None = None
    """Trials that there will be, where the settings tell."""
    evaluations: int = 0
    """Evaluations that the optimizer made by itself, without ``dspy.Evaluate``."""
    roles: dict[Role, UsageScope] = field(init=False)
    _trials: int = 0
    _nested_left: int = MAX_NESTED_EXAMPLES
    _best_whole: float | None = None
    _best_part: float | None = None
    best_programs: BestPrograms = field(default_factory=BestPrograms)
    lock: ForkSafeLock = field(default_factory=ForkSafeLock, repr=False)

    def __post_init__(self) -> None:
        outer = self.parent.roles if self.parent is not None else {}
        roles: tuple[Role, ...] = ("task", "judge", "proposal")
        self.roles = {role: UsageScope(outer.get(role)) for role in roles}

    def attributes(self) -> dict[str, AttributeValue]:
        """Return what stands on the run's own span and on those of its trials from their start, besides its id."""
        known: dict[str, AttributeValue] = {semconv.DSPY_OPTIMIZER_NAME: self.name}
        if self.planned_trials is not None:
            known[semconv.DSPY_OPTIMIZER_PLANNED_TRIALS] = self.planned_trials
        return known

    @property
    def trials(self) -> int:
        """Trials that were begun."""
        return self._trials

    @property
    def best_score(self) -> float | None:
        """The best score of an evaluation in full; before there is one, the best of a minibatch."""
        return self._best_part if self._best_whole is None else self._best_whole

    def nests(self, examples: int) -> bool:
        """Return whether so many examples go into the trace of the run, all of them or none.

        Where ``auto`` has no room left for some, none that come later go there either: the first ones are there.
        Runs inside of a run share its room.
        """
        if self.traces != "auto":
            return self.traces == "nested"
        if self.parent is not None and self.parent.traces == "auto":
            return self.parent.nests(examples)
        with self.lock:
            has_room = examples <= self._nested_left
            self._nested_left = self._nested_left - examples if has_room else 0
        return has_room

    def next_trial(self) -> int:
        """Return the number of a new trial, from 0."""
        with self.lock:
            number = self._trials
            self._trials += 1
            return number

    def note_score(self, kind: TrialKind, score: float) -> bool:
        """Take note of a trial's score; return whether it is the best so far of all that saw as much of the data."""
        with self.lock:
            if kind in _WHOLE:
                is_best = self._best_whole is None or score > self._best_whole
                if is_best:
                    self._best_whole = score
            else:
                is_best = self._best_part is None or score > self._best_part
                if is_best:
                    self._best_part = score
            return is_best


@dataclass(frozen=True, slots=True)
class ExamplePlace:
    """One example that is being evaluated inside a run."""

    program: object
    """The program under evaluation; ``None`` where a metric alone is at work."""
    metric: object = None
    is_copied: bool = False
    """Whether the optimizer runs a copy of the program that nobody else sees."""


@dataclass(frozen=True, slots=True)
class OptimizerPlace:
    """Where in an optimizer run a call stands."""

    run: OptimizerRun
    trial: OptimizerTrial | None = None
    example: ExamplePlace | None = None


OPTIMIZER: Final = Slot[OptimizerPlace]("optimizer")
"""Where in an optimizer run a call stands."""


@dataclass(slots=True)
class OptimizerTrial:
    """One candidate or iteration of an optimizer, as far as it is known."""

    run: OptimizerRun
    number: int
    kind: TrialKind
    span: Span
    score: float | None = None
    counts: bool = True
    """Whether the score can be the best of the run; a rejected candidate's cannot."""
    accepted: bool | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    """Set on the span at its end."""
    tried: TriedProgram = field(default_factory=TriedProgram)
    _links: int = 0

    def take_link(self) -> bool:
        """Return whether one more example can be linked from the span."""
        with self.run.lock:
            self._links += 1
            return self._links <= MAX_LINKS

    def settle(self) -> None:
        """Tell the run of the score, and let the span tell what came of the trial and how the run stands after it."""
        attributes, run = self.attributes, self.run
        attributes[semconv.DSPY_OPTIMIZER_TRIAL_KIND] = self.kind
        if self.score is not None:
            attributes[semconv.DSPY_OPTIMIZER_TRIAL_SCORE] = self.score
            is_best = run.note_score(self.kind, self.score) if self.counts else False
            if is_best and BOUNDS.are_set:
                run.best_programs.note(self.kind, self.tried.program)
            if self.accepted is None and self.kind == "full":
                self.accepted = is_best
        if self.accepted is not None:
            attributes[semconv.DSPY_OPTIMIZER_TRIAL_ACCEPTED] = self.accepted
        if run.best_score is not None:
            attributes[semconv.DSPY_OPTIMIZER_BEST_SCORE] = run.best_score
        usage = run.scope.total()
        if usage.has_known_cost:
            attributes[semconv.DSPY_OPTIMIZER_COST] = usage.cost
