"""An evaluation under way: a program and a metric that run over examples, and what came of them so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..locks import ForkSafeLock
from ..slots import Slot
from .evaluation_results import ExampleOutcome, metric_name
from .optimizer_runs import OPTIMIZER, OptimizerRun, OptimizerTrial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context

    from ..context import Call
    from ..telemetry import Telemetry

__all__ = ["EVALUATION", "Evaluation"]


@dataclass(slots=True)
class Evaluation:
    """A program and a metric that run over examples."""

    telemetry: Telemetry
    evaluator: object
    """Whose examples they are: a ``dspy.Evaluate`` or an optimizer."""
    program: object
    metric: object
    call: Call
    """The record of the call in which the examples run."""
    context: Context
    """The context in which that call's span is the current one; DSPy's threads need not carry it."""
    is_copied: bool = False
    """Whether each example is given a copy of the program."""
    repeats: bool = False
    """Whether an example may run several times without being a straggler."""
    size: int | None = None
    """How often an example will run, where it is known and not the number of the examples."""
    after_each: Callable[[], None] | None = None
    """Called when an example has ended."""
    failures: set[int] = field(default_factory=set)
    scores: list[float] = field(default_factory=list)
    name: str = field(init=False)
    _nests: bool | None = None
    """Whether its examples go into the trace of the optimizer run, once that is decided for all of them."""
    _positions: dict[int, list[int]] = field(default_factory=dict)
    _started: set[int] = field(default_factory=set)
    _lock: ForkSafeLock = field(default_factory=ForkSafeLock, repr=False)

    def __post_init__(self) -> None:
        self.name = metric_name(self.metric) or "none"

    @property
    def trial(self) -> OptimizerTrial | None:
        """The trial of an optimizer that the evaluation is a part of."""
        place = OPTIMIZER.of(self.call)
        return None if place is None else place.trial

    def number(self, examples: Sequence[Any]) -> None:
        """Take note of the order of the examples."""
        for position, example in enumerate(examples):
            self._positions.setdefault(id(example), []).append(position)

    def nests_in(self, run: OptimizerRun) -> bool:
        """Return whether the next example goes into the trace of an optimizer run: all of them, or none.

        How many answers a round of bootstrapping asks for nobody knows before: it is decided for each.
        """
        size = sum(map(len, self._positions.values())) if self.size is None and not self.repeats else self.size
        if not size:
            return run.nests(1)
        with self._lock:
            if self._nests is None:
                self._nests = run.nests(size)
            return self._nests

    def start(self, example: object) -> tuple[int | None, bool]:
        """Return the place of an example in the data and whether it had run before.

        Where the same object stands in the data several times, the first place that has not run yet is taken.
        """
        with self._lock:
            positions = self._positions.get(id(example), [])
            for position in positions:
                if position not in self._started:
                    self._started.add(position)
                    return position, False
        return (positions[0], True) if positions else (None, False)

    def settle(self, position: int | None, outcome: ExampleOutcome) -> None:
        """Take note of how an example ended."""
        with self._lock:
            if outcome.score.value is not None:
                self.scores.append(outcome.score.value)
            if position is not None:
                (self.failures.add if outcome.failed else self.failures.discard)(position)


EVALUATION: Final = Slot[Evaluation]("evaluation")
"""The evaluation whose executor or examples a call is about to run."""
