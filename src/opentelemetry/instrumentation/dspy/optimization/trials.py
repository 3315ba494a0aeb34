"""The beginning of a trial: its span, below that of the optimizer run or of the call that it lies in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opentelemetry.trace import set_span_in_context

from .. import semconv
from ..context import ActiveCall, current_call, with_call
from ..exception_events import follow_errors
from ..usage import UsageScope
from .evaluations import EVALUATION
from .optimizer_runs import OPTIMIZER, OptimizerTrial, TrialKind

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from ..telemetry import Telemetry

__all__ = ["open_trial"]

TRIAL = "optimize_trial"


def open_trial(
    telemetry: Telemetry,
    kind: TrialKind,
    *,
    within: ActiveCall | None = None,
    context: Context | None = None,
    number: int | None = None,
) -> OptimizerTrial:
    """Start the span of a trial, below the current one unless a record and a context are given.

    Raises ``ValueError`` outside of an optimizer run.
    """
    parent = within or current_call()
    place = OPTIMIZER.of(parent)
    if place is None:
        raise ValueError("There is no optimizer run here.")
    active = parent.child(None, None, "")
    active.scope = scope = UsageScope(parent.scope)
    EVALUATION.put(active, None)
    number = place.run.next_trial() if number is None else number
    active.known = lambda: {**place.run.attributes(), semconv.DSPY_OPTIMIZER_TRIAL: number}
    span = telemetry.tracer.start_span(TRIAL, with_call(active, context))
    trial = OptimizerTrial(
        run=place.run,
        number=number,
        kind=kind,
        span=span,
        active=active,
        context=set_span_in_context(span, with_call(active, context)),
        scope=scope,
        _telemetry=telemetry,
    )
    follow_errors(span, trial.context)
    OPTIMIZER.put(active, replace(place, trial=trial))
    return trial
