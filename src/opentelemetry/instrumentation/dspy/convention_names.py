"""Names of the GenAI conventions that ``opentelemetry.semconv`` has no constants for yet."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CACHE_READ_TOKENS_OF",
    "GEN_AI_PROMPT_VERSION",
    "GEN_AI_REQUEST_REASONING_LEVEL",
    "GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS",
    "INPUT_TOKENS_OF",
    "OUTPUT_TOKENS_OF",
]

GEN_AI_PROMPT_VERSION: Final = "gen_ai.prompt.version"
GEN_AI_REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"

_MODALITIES = ("text", "image", "audio")

INPUT_TOKENS_OF: Final = {each: f"gen_ai.usage.{each}.input_tokens" for each in _MODALITIES}
OUTPUT_TOKENS_OF: Final = {each: f"gen_ai.usage.{each}.output_tokens" for each in _MODALITIES}
CACHE_READ_TOKENS_OF: Final = {each: f"gen_ai.usage.{each}.cache_read.input_tokens" for each in _MODALITIES}
"""Parts of the tokens, by modality."""
