"""The conventions' event ``gen_ai.evaluation.result``: what a metric, or a person, says of one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_EVALUATION_EXPLANATION,
    GEN_AI_EVALUATION_NAME,
    GEN_AI_EVALUATION_SCORE_LABEL,
    GEN_AI_EVALUATION_SCORE_VALUE,
    GEN_AI_RESPONSE_ID,
)
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import NonRecordingSpan, set_span_in_context
from opentelemetry.util.genai.utils import fq_exception_type

from . import semconv

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from .optimization.scores import Score
    from .programs.predictions import Origin
    from .telemetry import Telemetry

__all__ = ["evaluation_event"]


def evaluation_event(
    telemetry: Telemetry, name: str, score: Score, origin: Origin | None, error: BaseException | None = None
) -> LogRecord:
    """Return the event in the context of the span that produced what is evaluated.

    ``error`` is what kept the evaluation from its end. A label is a word, and passes the redaction alone; an
    explanation is content.
    """
    attributes: dict[str, AttributeValue] = {GEN_AI_EVALUATION_NAME: name}
    if score.value is not None:
        attributes[GEN_AI_EVALUATION_SCORE_VALUE] = score.value
    if score.label is not None:
        attributes[GEN_AI_EVALUATION_SCORE_LABEL] = telemetry.content.word(score.label, "output")
    if score.explanation is not None and telemetry.content.on_events:
        attributes[GEN_AI_EVALUATION_EXPLANATION] = telemetry.content.text(score.explanation, "output")
    if error is not None:
        attributes[ERROR_TYPE] = fq_exception_type(error)
    if origin is not None and origin.response_id is not None:
        attributes[GEN_AI_RESPONSE_ID] = origin.response_id
    return LogRecord(
        event_name=semconv.EVENT_GEN_AI_EVALUATION_RESULT,
        context=None if origin is None else set_span_in_context(NonRecordingSpan(origin.span_context)),
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        attributes=attributes,
    )
