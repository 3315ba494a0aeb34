"""What came of one example: read from what DSPy hands over, and told in a log event and a metric."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import semconv
from ..evaluation_events import evaluation_event
from ..log_events import emit_event
from ..programs.answers import answer_fields
from ..programs.predictions import Origin, origin_of, span_context_of, without_trace
from ..programs.running_modules import UNKNOWN, RunningModule
from ..reading import read, text_of_name
from .scores import Score, score_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.util.types import AttributeValue

    from ..content import Content
    from ..telemetry import Telemetry

__all__ = ["ExampleOutcome", "content_of_result", "emit_result", "metric_name", "outcome_of_pair", "record_score"]


@dataclass(frozen=True, slots=True)
class ExampleOutcome:
    """What came of one example."""

    prediction: object = UNKNOWN
    score: Score = field(default_factory=Score)
    error: BaseException | None = None
    failed: bool = False
    """Whether the program or the metric raised, also where DSPy caught it."""


def outcome_of_pair(result: Any) -> ExampleOutcome:
    """Read the ``(prediction, score)`` that ``Evaluate`` makes of an example."""
    prediction, score = result
    return ExampleOutcome(prediction, score_of(score))


def metric_name(metric: Any) -> str | None:
    """Return the name of a metric: the function's, or the class's of any other object."""
    while isinstance(metric, functools.partial):
        metric = metric.func
    if metric is None:
        return None
    if (text_of_name(read(metric, "__module__")) or "").startswith("dspy.teleprompt.") and inspect.isfunction(metric):
        # bootstrap_trace_data wraps the user's metric; a name such as ``wrapped_metric`` would tell nobody anything.
        wrapped = inspect.getclosurevars(metric).nonlocals.get("metric")
        if wrapped is not None:
            return metric_name(wrapped)
    return text_of_name(read(metric, "__name__")) or type(metric).__name__


def program_run_of(modules: Sequence[RunningModule], program: object, prediction: object) -> RunningModule | None:
    """Return the run of the program among those of an example's modules that no other module called.

    What a function asks that stands in for a program is told by the prediction; what runs first is not the metric's.
    """
    known = span_context_of(prediction)
    own = (module for module in modules if module.instance is program)
    returned = (
        module
        for module in modules
        if known is not None and module.span is not None and module.span.get_span_context() == known
    )
    return next(own, None) or next(returned, None) or next(iter(modules), None)


def emit_result(
    telemetry: Telemetry, outcome: ExampleOutcome, name: str, program_run: RunningModule | None = None
) -> None:
    """Emit the conventions' event ``gen_ai.evaluation.result``, in the context of the program's span.

    Where that span is none of a GenAI operation the response is named, if there is one alone that it can be about.
    """
    origin = origin_of(outcome.prediction)
    if program_run is not None and program_run.span is not None:
        origin = Origin(program_run.span.get_span_context(), program_run.response_id_of_result)
    emit_event(telemetry.logger, evaluation_event(telemetry, name, outcome.score, origin, outcome.error))


def content_of_result(
    content: Content, outcome: ExampleOutcome, program: object, program_run: RunningModule | None
) -> dict[str, AttributeValue]:
    """Return what the program answered and what the metric said of it as attributes of an example's span.

    What DSPy hands over has no answer where it makes a score alone of the example, or the metric raised.
    """
    attributes: dict[str, AttributeValue] = {}
    answer = outcome.prediction
    if answer is UNKNOWN or (answer is None and outcome.failed):
        is_module = hasattr(type(program), "named_predictors")
        answer = program_run.answer if program_run is not None and is_module else UNKNOWN
    if answer is not UNKNOWN:
        answer = without_trace(answer)
        fields = answer_fields(answer)
        told = content.json(answer, "output") if fields is None else content.named_json(fields, "output")
        attributes[semconv.DSPY_EXAMPLE_PREDICTION] = told
    if outcome.score.explanation is not None:
        attributes[semconv.DSPY_EXAMPLE_FEEDBACK] = content.text(outcome.score.explanation, "output")
    return attributes


def record_score(telemetry: Telemetry, value: float, name: str, module_name: str) -> None:
    """Record an example's score in the histogram."""
    if value < 0:
        # A histogram takes none, and the SDK warns of each; the span and the event have it.
        return
    attributes = {semconv.DSPY_EVALUATE_METRIC: name, semconv.DSPY_MODULE_NAME: module_name}
    telemetry.metrics.evaluate_example_score.record(value, attributes)
