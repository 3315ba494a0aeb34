"""The roll-up of a scope, as a span tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import semconv

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from .usage import UsageScope

__all__ = ["usage_attributes"]


def usage_attributes(scope: UsageScope) -> dict[str, AttributeValue]:
    """Return the roll-up of a scope as span attributes, none where no language model or embedder was called or refused.

    Zeros are left out, but for the calls of language models and the cost. There is no cost where no price at all is
    known: unknown is not zero.
    """
    usage = scope.standing
    attributes: dict[str, AttributeValue] = {}
    if scope.exceeded is not None:
        attributes[semconv.DSPY_BUDGET_EXCEEDED] = scope.exceeded
    if not usage.lm_calls and not usage.is_used:
        return attributes
    attributes[semconv.DSPY_USAGE_LM_CALLS] = usage.lm_calls
    if usage.input_tokens:
        attributes[semconv.DSPY_USAGE_INPUT_TOKENS] = usage.input_tokens
    if usage.output_tokens:
        attributes[semconv.DSPY_USAGE_OUTPUT_TOKENS] = usage.output_tokens
    if usage.embedding_calls:
        attributes[semconv.DSPY_USAGE_EMBEDDING_CALLS] = usage.embedding_calls
    if usage.embedding_tokens:
        attributes[semconv.DSPY_USAGE_EMBEDDING_TOKENS] = usage.embedding_tokens
    if usage.cost or usage.has_known_cost:
        attributes[semconv.DSPY_USAGE_COST] = usage.cost
    if usage.cost_unknown_calls:
        attributes[semconv.DSPY_USAGE_COST_UNKNOWN_CALLS] = usage.cost_unknown_calls
    if usage.cache_hits:
        attributes[semconv.DSPY_USAGE_CACHE_HITS] = usage.cache_hits
    if usage.saved_cost:
        attributes[semconv.DSPY_USAGE_SAVED_COST] = usage.saved_cost
    return attributes
