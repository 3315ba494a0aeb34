"""What other instrumentations told of the calls inside of one of ours.

``opentelemetry-util-genai`` makes no second span for a provider's client that runs inside a language model call, and
hands its data to the outer span. What the outer call does not report itself then stands on its span all the same, and
has to be in the roll-ups too.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from opentelemetry.context import get_value
from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY, InferenceData

from .outcomes import LMOutcome
from .reply_values import count_of, items_of, name_of
from .token_usage import TokenUsage

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import InferenceInvocation

__all__ = ["with_published"]


def with_published(own: LMOutcome | None, invocation: InferenceInvocation) -> LMOutcome | None:
    """Return a call's outcome, completed by the tokens that a call inside published if it reports none itself."""
    published = get_value(CLIENT_INFERENCE_CONTEXT_KEY, invocation.context)
    if isinstance(published, InferenceData):
        _make_sound(published)
    if not isinstance(published, InferenceData) or (own is not None and (own.usage.is_known or own.cache_hit)):
        return own
    usage = TokenUsage(
        input_tokens=published.usage_input_tokens,
        output_tokens=published.usage_output_tokens,
        cache_read_input_tokens=published.usage_cache_read_input_tokens,
        cache_write_input_tokens=published.usage_cache_write_input_tokens,
        reasoning_output_tokens=published.usage_reasoning_output_tokens,
    )
    if not usage.is_known:
        return own
    outcome = own or LMOutcome(response_model=published.response_model, response_id=published.response_id)
    outcome.usage = usage
    outcome.finish_reasons = outcome.finish_reasons or list(published.response_finish_reasons or ())
    return outcome


_COUNTS = tuple(field.name for field in fields(InferenceData) if field.name.startswith("usage_"))


def _make_sound(published: InferenceData) -> None:
    """Take out what is no count and no name: util-genai sets on the span whatever stands here."""
    for name in _COUNTS:
        told = getattr(published, name)
        if told is not None:
            setattr(published, name, count_of(told))
    published.response_model = name_of(published.response_model)
    published.response_id = name_of(published.response_id)
    if published.response_finish_reasons is not None:
        reasons = [name_of(reason) for reason in items_of(published.response_finish_reasons)]
        published.response_finish_reasons = [reason for reason in reasons if reason is not None] or None
