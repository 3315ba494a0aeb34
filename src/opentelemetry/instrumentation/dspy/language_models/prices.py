"""A price for what DSPy has none for, from the ``genai-prices`` package if the application installed it."""

from __future__ import annotations

import inspect
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GenAiProviderNameValues

from .reply_values import price_of
from .service_tiers import BATCH

if TYPE_CHECKING:
    from types import ModuleType

    from .token_usage import TokenUsage

__all__ = ["estimate"]

_logger = logging.getLogger(__name__)

_PROVIDER_IDS = {
    GenAiProviderNameValues.AWS_BEDROCK.value: "aws",
    GenAiProviderNameValues.AZURE_AI_OPENAI.value: "azure",
    GenAiProviderNameValues.AZURE_AI_INFERENCE.value: "azure",
    GenAiProviderNameValues.GCP_GEMINI.value: "google",
    GenAiProviderNameValues.GCP_VERTEX_AI.value: "google",
    GenAiProviderNameValues.MISTRAL_AI.value: "mistral",
    GenAiProviderNameValues.X_AI.value: "x-ai",
    "fireworks_ai": "fireworks",
    "moonshot_ai": "moonshotai",
    "together_ai": "together",
    "voyage": "voyageai",
}
"""The conventions' provider names, where genai-prices has another word."""


@lru_cache(maxsize=1)
def _price_table() -> ModuleType | None:
    try:
        import genai_prices
    except ImportError:
        return None
    return genai_prices


@lru_cache(maxsize=1)
def _knows_tiers() -> bool:
    """Whether the package is new enough to price tiers, and what stays cached for an hour."""
    table = _price_table()
    return table is not None and "price_context" in inspect.signature(table.calc_price).parameters


def estimate(provider: str, model: str, usage: TokenUsage, tier: str | None = None) -> float | None:
    """Return the price of a call in US dollars, ``None`` where package, model, tier or token counts are missing."""
    table = _price_table()
    if table is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    counts: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_input_tokens,
        "cache_write_tokens": usage.cache_write_input_tokens,
    }
    if usage.long_cache_write_input_tokens and _knows_tiers():
        counts["cache_write_1h_tokens"] = usage.long_cache_write_input_tokens
    where = {"model_ref": model, "provider_id": _PROVIDER_IDS.get(provider, provider)}
    try:
        price = table.calc_price(table.Usage(**counts), **where)
        if tier is None:
            return price_of(price.total_price)
        if not _knows_tiers():
            return None
        context = {"processing": BATCH} if tier == BATCH else {"service_tier": tier}
        at_tier = table.calc_price(table.Usage(**counts), **where, price_context=context)
        # What it has no price for it prices as an ordinary call.
        return None if at_tier.model_price == price.model_price else price_of(at_tier.total_price)
    except LookupError:
        return None
    except Exception as error:  # noqa: BLE001 - its text may quote what the reply said
        _logger.debug("genai-prices could not price %s of %s: %s.", model, provider, type(error).__name__)
        return None
