"""Language model calls as small records, read from their spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_PROMPT_NAME,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_USAGE_INPUT_TOKENS,
    GEN_AI_USAGE_OUTPUT_TOKENS,
)
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from ..console.tree import attributes_of, lm_usage, number_of
from ..convention_names import GEN_AI_PROMPT_VERSION
from ..semconv import GEN_AI_USAGE_COST_AMOUNT

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Chat", "chat_of", "model_of"]

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Chat:
    """One call of a language model.

    Tokens are those of the reply, input with cached ones and output with reasoning; ``None`` where it tells none, and
    on a hit of DSPy's cache. ``cost`` is in US dollars: 0 on a hit, ``None`` where no price is known. ``prompt_name``
    and ``prompt_version`` are ``None`` for a call that no predictor made. ``duration`` is in seconds.
    """

    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    cache_hit: bool
    prompt_name: str | None
    prompt_version: str | None
    error_type: str | None
    duration: float
    span: ReadableSpan


def chat_of(span: ReadableSpan) -> Chat:
    """Return the record of a language model call's span."""
    usage = lm_usage(span)
    is_hit = usage.cache_hits > 0
    is_priced = is_hit or (usage.cost_unknown_calls == 0 and number_of(span, GEN_AI_USAGE_COST_AMOUNT) is not None)
    return Chat(
        model=model_of(span),
        input_tokens=_count(span, GEN_AI_USAGE_INPUT_TOKENS),
        output_tokens=_count(span, GEN_AI_USAGE_OUTPUT_TOKENS),
        cost=usage.cost if is_priced else None,
        cache_hit=is_hit,
        prompt_name=_text(span, GEN_AI_PROMPT_NAME),
        prompt_version=_text(span, GEN_AI_PROMPT_VERSION),
        error_type=_text(span, ERROR_TYPE),
        duration=((span.end_time or 0) - (span.start_time or 0)) / _NANOSECONDS,
        span=span,
    )


def model_of(span: ReadableSpan) -> str:
    """Return the model that was asked for, without the provider's name in front; empty where it is not told."""
    return _text(span, GEN_AI_REQUEST_MODEL) or ""


def _count(span: ReadableSpan, name: str) -> int | None:
    number = number_of(span, name)
    return None if number is None else int(number)


def _text(span: ReadableSpan, name: str) -> str | None:
    value = attributes_of(span).get(name)
    return None if value is None else str(value)
