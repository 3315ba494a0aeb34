"""Token counts of one call, from every shape that they come in, in the GenAI conventions' meaning.

Input tokens include those that the provider had cached or cached now; output tokens include reasoning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["TokenUsage", "member", "token_usage"]


@dataclass(slots=True)
class TokenUsage:
    """Tokens of one call; ``None`` where the provider did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    input_by_modality: tuple[tuple[str, int], ...] = ()
    output_by_modality: tuple[tuple[str, int], ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether the provider told anything."""
        return self.input_tokens is not None or self.output_tokens is not None


def token_usage(usage: Any) -> TokenUsage:
    """Read a usage mapping or object of chat completions, of the Responses API, or of DSPy 3.3's typed path.

    Zero tokens in and out mean that nothing was reported: LiteLLM fills in zeros where a stream carried no usage, and
    no provider answers an empty request.
    """
    input_tokens = _first_count(usage, "prompt_tokens", "input_tokens")
    output_tokens = _first_count(usage, "completion_tokens", "output_tokens")
    if not input_tokens and not output_tokens:
        return TokenUsage()
    input_details = _first(usage, "prompt_tokens_details", "input_tokens_details")
    output_details = _first(usage, "completion_tokens_details", "output_tokens_details")
    return TokenUsage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_input_tokens=_count(input_details, "cached_tokens") or _count(usage, "cache_read_tokens"),
        cache_write_input_tokens=_count(input_details, "cache_creation_tokens") or _count(usage, "cache_write_tokens"),
        reasoning_output_tokens=_count(output_details, "reasoning_tokens") or _count(usage, "reasoning_tokens"),
        input_by_modality=_by_modality(input_details),
        output_by_modality=_by_modality(output_details),
    )


def member(value: Any, name: str) -> Any:
    """Return a named member of a mapping or an object, ``None`` where there is none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _by_modality(details: Any) -> tuple[tuple[str, int], ...]:
    if details is None:
        return ()
    counts = ((modality, _count(details, f"{modality}_tokens")) for modality in ("text", "image", "audio"))
    return tuple((modality, count) for modality, count in counts if count)


def _first(value: Any, *names: str) -> Any:
    return next((found for name in names if (found := member(value, name)) is not None), None)


def _first_count(value: Any, *names: str) -> int | None:
    return next((found for name in names if (found := _count(value, name)) is not None), None)


def _count(value: Any, name: str) -> int | None:
    found = member(value, name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
