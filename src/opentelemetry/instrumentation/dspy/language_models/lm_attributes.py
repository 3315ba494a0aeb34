"""The outcome of a language model call as attributes of its span and as numbers for the roll-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import semconv
from ..usage import Usage

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import InferenceInvocation
    from opentelemetry.util.types import AttributeValue

    from .outcomes import LMOutcome
    from .token_usage import TokenUsage

__all__ = ["CURRENCY", "outcome_attributes", "set_token_details", "usage_of"]

CURRENCY = "USD"
"""DSPy's, LiteLLM's and genai-prices' tables are in US dollars, and so are the prices in OpenRouter's replies."""


def set_token_details(invocation: InferenceInvocation, usage: TokenUsage) -> None:
    """Set the parts of the tokens that a provider tells apart."""
    invocation.cache_read_input_tokens = usage.cache_read_input_tokens
    invocation.cache_write_input_tokens = usage.cache_write_input_tokens
    invocation.thinking_tokens = usage.reasoning_output_tokens
    if usage.input_by_modality:
        invocation.set_input_tokens(usage.input_by_modality)
    if usage.output_by_modality:
        invocation.set_output_tokens(usage.output_by_modality)
    if usage.cache_read_by_modality:
        invocation.set_cache_read_input_tokens(usage.cache_read_by_modality)


def outcome_attributes(outcome: LMOutcome) -> dict[str, AttributeValue]:
    """Return what a call cost or saved, and what became of its settings, as far as it is known."""
    attributes: dict[str, AttributeValue] = {}
    if outcome.cost is not None:
        attributes[semconv.GEN_AI_USAGE_COST_AMOUNT] = float(outcome.cost)
        attributes[semconv.GEN_AI_USAGE_COST_CURRENCY] = CURRENCY
        attributes[semconv.GEN_AI_USAGE_COST_SOURCE] = outcome.cost_source
    saved = (
        (semconv.DSPY_CACHE_SAVED_INPUT_TOKENS, outcome.saved_usage.input_tokens),
        (semconv.DSPY_CACHE_SAVED_OUTPUT_TOKENS, outcome.saved_usage.output_tokens),
        (semconv.DSPY_CACHE_SAVED_COST, outcome.saved_cost),
    )
    attributes.update({name: value for name, value in saved if value is not None})
    if outcome.upstream_provider is not None:
        attributes[semconv.DSPY_LM_UPSTREAM_PROVIDER] = outcome.upstream_provider
    if outcome.adaptations:
        attributes[semconv.DSPY_LM_ADAPTATIONS] = outcome.adaptations
    return attributes


def usage_of(outcome: LMOutcome | None, error: BaseException | None) -> Usage:
    """Return what a call adds to the roll-ups: a failed one counts as a call, and with what it was billed."""
    if outcome is None:
        return Usage(lm_calls=1, cost_unknown_calls=0 if error is not None else 1)
    if outcome.cache_hit:
        return Usage(lm_calls=1, cache_hits=1, saved_cost=outcome.saved_cost or 0.0)
    return Usage(
        lm_calls=1,
        input_tokens=outcome.usage.input_tokens or 0,
        output_tokens=outcome.usage.output_tokens or 0,
        cost=outcome.cost or 0.0,
        cost_unknown_calls=1 if outcome.cost is None else 0,
    )
