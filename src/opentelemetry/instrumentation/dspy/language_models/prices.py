"""A price for what DSPy has none for, from the ``genai-prices`` package if the application installed it."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GenAiProviderNameValues

from .reply_values import price_of

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


def estimate(provider: str, model: str, usage: TokenUsage) -> float | None:
    """Return the price of a call in US dollars, ``None`` where package, model or token counts are missing."""
    table = _price_table()
    if table is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    counts: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_input_tokens,
        "cache_write_tokens": usage.cache_write_input_tokens,
    }
    try:
        price = table.calc_price(
            table.Usage(**counts), model_ref=model, provider_id=_PROVIDER_IDS.get(provider, provider)
        )
        return price_of(price.total_price)
    except LookupError:
        return None
    except Exception as error:  # noqa: BLE001 - its text may quote what the reply said
        _logger.debug("genai-prices could not price %s of %s: %s.", model, provider, type(error).__name__)
        return None
