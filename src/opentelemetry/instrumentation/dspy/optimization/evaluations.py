"""An evaluation under way: one span for each of its examples, around the program and the metric."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_EVALUATION_NAME
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

from .. import semconv
from ..context import ActiveCall, Slot, with_call
from ..exception_events import UNTOLD
from ..locks import ForkSafeLock
from ..spans import OpenSpan, open_span
from ..telemetry import usage_attributes
from ..usage import UsageScope
from .evaluation_results import (
    ExampleOutcome,
    content_of_result,
    emit_result,
    metric_name,
    program_run_of,
    record_score,
)
from .example_calls import ExampleCalls
from .optimizer_runs import OPTIMIZER, ExamplePlace, OptimizerPlace, OptimizerRun, OptimizerTrial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

    from ..content import Content
    from ..telemetry import Telemetry

__all__ = ["EVALUATION", "Evaluation", "OpenExample", "open_example"]

EXAMPLE = "evaluate_example"


@dataclass(slots=True)
class Evaluation:
    """A program and a metric that run over examples."""

    telemetry: Telemetry
    evaluator: object
    """Whose examples they are: a ``dspy.Evaluate`` or an optimizer."""
    program: object
    metric: object
    active: ActiveCall
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
        place = OPTIMIZER.of(self.active)
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


@dataclass(slots=True)
class OpenExample:
    """One example whose span is the current one."""

    evaluation: Evaluation
    position: int | None
    opened: OpenSpan
    scope: UsageScope | None
    content: Content
    """What may stand on the span."""
    calls: ExampleCalls = field(default_factory=ExampleCalls)

    def end(self, outcome: ExampleOutcome) -> None:
        """End the span with the outcome, and tell of it in a log event and a metric."""
        evaluation, attributes = self.evaluation, self.opened.attributes
        try:
            evaluation.settle(self.position, outcome)
            if outcome.score.value is not None:
                attributes[semconv.DSPY_EVALUATE_EXAMPLE_SCORE] = outcome.score.value
                program = type(evaluation.program).__name__
                record_score(evaluation.telemetry, outcome.score.value, evaluation.name, program)
            if self.scope is not None:
                attributes.update(usage_attributes(self.scope))
            program_run = program_run_of(self.calls.modules, evaluation.program, outcome.prediction)
            if self.content.on_spans and self.opened.is_recording:
                self.content.make_room_for_answer()
                attributes.update(content_of_result(self.content, outcome, evaluation.program, program_run))
            place = OPTIMIZER.of(evaluation.active)
            is_known = outcome.failed or outcome.score.value is not None or outcome.score.label is not None
            if is_known and evaluation.metric is not None and (place is None or place.run.traces != "none"):
                emit_result(evaluation.telemetry, outcome, evaluation.name, program_run)
        finally:
            try:
                self.opened.end(outcome.error)
            finally:
                self.calls.forget_errors()
                if evaluation.after_each is not None:
                    evaluation.after_each()


def open_example(evaluation: Evaluation, example: object, program: object = None) -> OpenExample:
    """Start the span of an example and make it the current one.

    ``program`` stands in for the evaluation's where each example has one of its own.
    """
    position, repeated = evaluation.start(example)
    active = evaluation.active.child(None, None, "")
    active.given = (example,)
    # The program is the outermost module here, whatever called the evaluation: its paths start at itself.
    active.module = active.adapter_name = active.language_model_call = None
    EVALUATION.put(active, None)
    place, context, trial = OPTIMIZER.of(active), evaluation.context, None
    if place is not None:
        program = evaluation.program if program is None else program
        here = ExamplePlace(program, evaluation.metric, evaluation.is_copied)
        OPTIMIZER.put(active, OptimizerPlace(place.run, place.trial, here))
        if place.example is None and not evaluation.nests_in(place.run):
            trial = place.trial
            is_untold = place.run.traces == "none"
            UNTOLD.put(active, is_untold)
            context = _unsampled(context) if is_untold else _outside(context)
    links = [] if trial is None else [Link(trial.span.get_span_context(), _trial_attributes(trial))]
    active.example_calls = calls = ExampleCalls()
    active.known = partial(_known_at_start, evaluation, position)
    opened = open_span(evaluation.telemetry.tracer, EXAMPLE, with_call(active, context), links=links)
    if not opened.is_recording:
        return OpenExample(evaluation, position, opened, None, evaluation.telemetry.content, calls)
    active.scope = UsageScope(active.scope)
    content = evaluation.telemetry.content.of_span()
    if content.on_spans:
        _record_example(content, opened, example)
    if repeated and not evaluation.repeats:
        opened.attributes[semconv.DSPY_STRAGGLER] = True
    if trial is not None:
        _link_back(evaluation, trial, opened)
    return OpenExample(evaluation, position, opened, active.scope, content, calls)


def _outside(context: Context) -> Context:
    """Return the context outside of any trace: the next span begins one."""
    return set_span_in_context(INVALID_SPAN, context)


def _unsampled(context: Context) -> Context:
    """Return the context in a trace that is not sampled, so that no span is recorded.

    That is so with every sampler that asks the parent, as OpenTelemetry's default does. Trace and span id stay those
    of the evaluation, for what else carries them.
    """
    here = get_current_span(context).get_span_context()
    flags = TraceFlags(TraceFlags.DEFAULT)
    return set_span_in_context(NonRecordingSpan(SpanContext(here.trace_id, here.span_id, False, flags)), context)


def _known_at_start(evaluation: Evaluation, position: int | None) -> dict[str, AttributeValue]:
    known: dict[str, AttributeValue] = {}
    if evaluation.metric is not None:
        known[GEN_AI_EVALUATION_NAME] = evaluation.name
    if position is not None:
        known[semconv.DSPY_EXAMPLE_INDEX] = position
    return known


def _record_example(content: Content, opened: OpenSpan, example: Any) -> None:
    if hasattr(type(example), "inputs"):
        opened.attributes[semconv.DSPY_EXAMPLE_INPUTS] = content.json(example.inputs(), "input")
        opened.attributes[semconv.DSPY_EXAMPLE_LABELS] = content.json(example.labels(), "output")


def _trial_attributes(trial: OptimizerTrial) -> dict[str, Any]:
    return {semconv.DSPY_OPTIMIZER_RUN_ID: trial.run.run_id, semconv.DSPY_OPTIMIZER_TRIAL: trial.number}


def _link_back(evaluation: Evaluation, trial: OptimizerTrial, opened: OpenSpan) -> None:
    """Link the trial to the example; what does not fit on its span goes onto the evaluation's.

    The SDK keeps 128 links of a span and drops the oldest. An example beyond both spans' links is found by the
    attributes that it shares with its trial.
    """
    span = trial.span if trial.take_link() else get_current_span(evaluation.context)
    # A straggler may start after its trial has ended.
    if span.is_recording():
        span.add_link(opened.span.get_span_context())
