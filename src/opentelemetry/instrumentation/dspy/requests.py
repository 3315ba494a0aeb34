"""The parameters of a request that may be recorded: an allow-list, since keys and headers stand beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GenAiOutputTypeValues

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import InferenceInvocation

__all__ = ["set_request_parameters"]

_MAX_TOKENS_NAMES = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def set_request_parameters(invocation: InferenceInvocation, options: Mapping[str, Any]) -> None:
    """Set what the language model or the call sets; what neither does is not recorded."""
    invocation.temperature = _number(options.get("temperature"))
    invocation.top_p = _number(options.get("top_p"))
    invocation.top_k = _whole_number(options.get("top_k"))
    invocation.frequency_penalty = _number(options.get("frequency_penalty"))
    invocation.presence_penalty = _number(options.get("presence_penalty"))
    invocation.seed = _whole_number(options.get("seed"))
    invocation.max_tokens = next(
        (number for name in _MAX_TOKENS_NAMES if (number := _whole_number(options.get(name))) is not None), None
    )
    invocation.stop_sequences = _texts(options.get("stop"))
    choices = _whole_number(options.get("n"))
    invocation.request_choice_count = choices if choices != 1 else None
    invocation.reasoning_level = _reasoning_level(options)
    invocation.output_type = _output_type(options.get("response_format"))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _whole_number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, (list, tuple)) and value else None


def _reasoning_level(options: Mapping[str, Any]) -> str | None:
    level = options.get("reasoning_effort")
    reasoning = options.get("reasoning")
    if level is None and isinstance(reasoning, Mapping):
        level = reasoning.get("effort")
    return level if isinstance(level, str) else None


def _output_type(response_format: Any) -> str | None:
    """Return ``json`` for a JSON mode, a schema or a pydantic class, which DSPy turns into a schema."""
    if response_format is None:
        return None
    if isinstance(response_format, Mapping) and response_format.get("type") == "text":
        return GenAiOutputTypeValues.TEXT.value
    return GenAiOutputTypeValues.JSON.value
