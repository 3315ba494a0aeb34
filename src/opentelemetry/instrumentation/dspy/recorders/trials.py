"""One trial of an optimizer: its span, below that of the optimizer run or of the call that it lies in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opentelemetry.trace import set_span_in_context

from .. import semconv
from ..context import attach, current_call, detach, with_call
from ..exception_events import follow_errors
from ..openings import note
from ..optimization.evaluations import EVALUATION
from ..optimization.optimizer_runs import OPTIMIZER, OptimizerTrial
from ..spans import finish_span
from ..tracers import RUN_ATTRIBUTES, KnownAtStart
from ..usage import SCOPE, UsageScope
from ..usage_attributes import usage_attributes

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context

    from ..context import Call, Opening
    from ..optimization.optimizer_runs import TrialKind
    from ..telemetry import Telemetry

__all__ = ["OpenTrial", "open_trial"]

TRIAL = "optimize_trial"


@dataclass(slots=True, kw_only=True)
class OpenTrial(OptimizerTrial):
    """A trial whose span is open."""

    telemetry: Telemetry
    call: Call
    """The record of the trial, a part of the call that it lies in."""
    context: Context
    """The context in which the trial's span is the current one."""
    scope: UsageScope
    below: Opening | None = None
    _token: Token[Context] | None = None
    _ended: bool = False

    def enter(self, call: Call) -> None:
        """Make the trial the current one until its end, which is that of the call at the latest."""
        self._token = attach(self.context)
        note(call, self)

    def go_in(self) -> None:
        """Make the trial the current one; ``end`` must be called in the same frame or task."""
        self._token = attach(self.context)

    def end(self, error: BaseException | None = None) -> None:
        """End the span with what is known by now, and leave its context."""
        if self._ended:
            return
        self._ended = True
        try:
            self.settle()
            self.attributes.update(usage_attributes(self.scope))
            best = self.run.best_score
            if best is not None:
                metrics = self.telemetry.metrics
                metrics.optimizer_best_score.set(best, {semconv.DSPY_OPTIMIZER_NAME: self.run.name})
            if self.span.is_recording():
                content = self.telemetry.content.of_span()
                self.attributes.update(self.tried.texts(content) if content.on_spans else {})
        finally:
            self._end_span(error)

    def _end_span(self, error: BaseException | None) -> None:
        try:
            try:
                if self.span.is_recording():
                    finish_span(self.span, self.attributes, error, self.context)
            finally:
                self.span.end()
        finally:
            if self._token is not None:
                detach(self._token)


def open_trial(
    telemetry: Telemetry,
    kind: TrialKind,
    *,
    within: Call | None = None,
    context: Context | None = None,
    number: int | None = None,
) -> OpenTrial:
    """Start the span of a trial, below the current one unless a record and a context are given.

    Raises ``ValueError`` outside of an optimizer run.
    """
    parent = within or current_call()
    place = OPTIMIZER.of(parent)
    if place is None:
        raise ValueError("There is no optimizer run here.")
    run, number = place.run, place.run.next_trial() if number is None else number
    call, scope = parent.part(), UsageScope.below(SCOPE.of(parent))
    at_run = RUN_ATTRIBUTES.of(parent) or {}
    SCOPE.put(call, scope)
    EVALUATION.put(call, None)
    call.teller = KnownAtStart(lambda: {**run.attributes(), semconv.DSPY_OPTIMIZER_TRIAL: number})
    context = with_call(call, context)
    span = telemetry.tracer.start_span(TRIAL, context)
    trial = OpenTrial(
        run=run,
        number=number,
        kind=kind,
        span=span,
        telemetry=telemetry,
        call=call,
        context=set_span_in_context(span, context),
        scope=scope,
    )
    follow_errors(call, span)
    OPTIMIZER.put(call, replace(place, trial=trial))
    RUN_ATTRIBUTES.put(call, {**at_run, semconv.DSPY_OPTIMIZER_TRIAL: number})
    return trial
