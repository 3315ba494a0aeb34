"""The outcome of a language model call as attributes of its span and as numbers for the roll-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai

from .. import semconv
from ..convention_names import (
    CACHE_READ_TOKENS_OF,
    GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS,
    INPUT_TOKENS_OF,
    OUTPUT_TOKENS_OF,
)
from ..usage_sums import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.util.types import AttributeValue

    from .outcomes import LMOutcome
    from .token_usage import TokenUsage

__all__ = ["CURRENCY", "ENDED_BY_ERROR", "outcome_attributes", "usage_of"]

CURRENCY = "USD"
"""DSPy's, LiteLLM's and genai-prices' tables are in US dollars, and so are the prices in OpenRouter's replies."""

ENDED_BY_ERROR = "error"
"""``gen_ai.response.finish_reasons`` of a call that failed or was cancelled."""


def outcome_attributes(outcome: LMOutcome) -> dict[str, AttributeValue]:
    """Return what a call answered, used, cost or saved, and what became of its settings, as far as it is known."""
    attributes: dict[str, AttributeValue] = {}
    if outcome.response_model is not None:
        attributes[gen_ai.GEN_AI_RESPONSE_MODEL] = outcome.response_model
    if outcome.response_id is not None:
        attributes[gen_ai.GEN_AI_RESPONSE_ID] = outcome.response_id
    if outcome.finish_reasons:
        attributes[gen_ai.GEN_AI_RESPONSE_FINISH_REASONS] = outcome.finish_reasons
    usage = outcome.usage
    if usage.input_tokens is not None:
        attributes[gen_ai.GEN_AI_USAGE_INPUT_TOKENS] = usage.input_tokens
    if usage.output_tokens is not None:
        attributes[gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS] = usage.output_tokens
    if usage.has_parts:
        attributes.update(_parts_of_tokens(usage))
    if outcome.cost is not None:
        attributes[semconv.GEN_AI_USAGE_COST_AMOUNT] = float(outcome.cost)
        attributes[semconv.GEN_AI_USAGE_COST_CURRENCY] = CURRENCY
        attributes[semconv.GEN_AI_USAGE_COST_SOURCE] = outcome.cost_source
    if outcome.saved_usage.input_tokens is not None:
        attributes[semconv.DSPY_CACHE_SAVED_INPUT_TOKENS] = outcome.saved_usage.input_tokens
    if outcome.saved_usage.output_tokens is not None:
        attributes[semconv.DSPY_CACHE_SAVED_OUTPUT_TOKENS] = outcome.saved_usage.output_tokens
    if outcome.saved_cost is not None:
        attributes[semconv.DSPY_CACHE_SAVED_COST] = outcome.saved_cost
    if outcome.upstream_provider is not None:
        attributes[semconv.DSPY_LM_UPSTREAM_PROVIDER] = outcome.upstream_provider
    if outcome.adaptations:
        attributes[semconv.DSPY_LM_ADAPTATIONS] = outcome.adaptations
    return attributes


def _parts_of_tokens(usage: TokenUsage) -> Iterator[tuple[str, int]]:
    """Yield those parts of the tokens that a provider tells apart."""
    if usage.cache_read_input_tokens:
        yield gen_ai.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, usage.cache_read_input_tokens
    if usage.cache_write_input_tokens:
        yield GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS, usage.cache_write_input_tokens
    if usage.reasoning_output_tokens:
        yield gen_ai.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, usage.reasoning_output_tokens
    for modality, count in usage.input_by_modality:
        if count and modality in INPUT_TOKENS_OF:
            yield INPUT_TOKENS_OF[modality], count
    for modality, count in usage.output_by_modality:
        if count and modality in OUTPUT_TOKENS_OF:
            yield OUTPUT_TOKENS_OF[modality], count
    for modality, count in usage.cache_read_by_modality:
        if count and modality in CACHE_READ_TOKENS_OF:
            yield CACHE_READ_TOKENS_OF[modality], count


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
