"""One example of an evaluation: its span, around the program and the metric."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current
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
from ..exception_events import UNTOLD
from ..language_models.lm_calls import LM_CALL
from ..openings import abandon
from ..optimization.evaluation_results import (
    ExampleOutcome,
    content_of_result,
    emit_result,
    program_run_of,
    record_score,
)
from ..optimization.evaluations import EVALUATION, Evaluation
from ..optimization.example_calls import EXAMPLE_CALLS, ExampleCalls
from ..optimization.optimizer_runs import OPTIMIZER, ExamplePlace, OptimizerPlace, OptimizerTrial
from ..programs.adapter_calls import ADAPTER_NAME
from ..programs.running_modules import MODULE
from ..spans import OpenSpan, open_span
from ..tracers import KnownAtStart
from ..usage import SCOPE, UsageScope
from ..usage_attributes import usage_attributes

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

    from ..content import Content
    from ..context import Call, Opening

__all__ = ["OpenExample", "open_example"]

EXAMPLE = "evaluate_example"


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
    outcome: ExampleOutcome | None = None
    """What came of it, once that is known."""
    below: Opening | None = None
    _ended: bool = False

    def end(self, error: BaseException | None = None) -> None:
        """End the span with the outcome, and tell of it in a log event and a metric; a second end does nothing.

        Without an outcome it is the error that ended the call, if one did.
        """
        if self._ended:
            return
        self._ended = True
        if self.outcome is None:
            self.outcome = ExampleOutcome(error=error, failed=error is not None)
        outcome, evaluation, attributes = self.outcome, self.evaluation, self.opened.attributes
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
            place = OPTIMIZER.of(evaluation.call)
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
    """Start the span of an example and make it the current one; who calls it ends it.

    ``program`` stands in for the evaluation's where each example has one of its own. If it raises, nothing stays open.
    """
    call, before = evaluation.call.part(arguments=(example,)), get_current()
    try:
        return _open(call, evaluation, example, program)
    except BaseException:
        abandon(call, before)
        raise


def _open(call: Call, evaluation: Evaluation, example: object, program: object) -> OpenExample:
    position, repeated = evaluation.start(example)
    calls = ExampleCalls()
    # The program is the outermost module here, whatever called the evaluation: its paths start at itself.
    call.kept = {
        **call.kept,
        MODULE: None,
        ADAPTER_NAME: None,
        LM_CALL: None,
        EVALUATION: None,
        EXAMPLE_CALLS: calls,
    }
    place, context, trial = OPTIMIZER.of(call), evaluation.context, None
    if place is not None:
        program = evaluation.program if program is None else program
        here = ExamplePlace(program, evaluation.metric, evaluation.is_copied)
        OPTIMIZER.put(call, OptimizerPlace(place.run, place.trial, here))
        if place.example is None and not evaluation.nests_in(place.run):
            trial = place.trial
            is_untold = place.run.traces == "none"
            UNTOLD.put(call, is_untold)
            context = _unsampled(context) if is_untold else _outside(context)
    links = [] if trial is None else [Link(trial.span.get_span_context(), _trial_attributes(trial))]
    call.teller = KnownAtStart(partial(_known_at_start, evaluation, position))
    opened = open_span(call, evaluation.telemetry.tracer, EXAMPLE, context, links=links)
    if not opened.is_recording:
        return OpenExample(evaluation, position, opened, None, evaluation.telemetry.content, calls)
    scope = UsageScope.below(SCOPE.of(call))
    SCOPE.put(call, scope)
    content = evaluation.telemetry.content.of_span()
    if content.on_spans:
        _record_example(content, opened, example)
    if repeated and not evaluation.repeats:
        opened.attributes[semconv.DSPY_STRAGGLER] = True
    if trial is not None:
        _link_back(evaluation, trial, opened)
    return OpenExample(evaluation, position, opened, scope, content, calls)


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
