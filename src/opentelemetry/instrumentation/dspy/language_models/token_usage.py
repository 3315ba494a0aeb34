"""Token counts of one call, from every shape that they come in, in the GenAI conventions' meaning.

Input tokens include those that the provider had cached or cached now; output tokens include reasoning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .reply_values import count_of, member

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NO_TOKENS", "TokenUsage", "add_up", "split_by_modality", "token_usage"]


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
    cache_read_by_modality: tuple[tuple[str, int], ...] = ()
    long_cache_write_input_tokens: int | None = None
    """Of those that were cached now, the ones that stay for an hour, which Anthropic prices apart."""

    @property
    def has_parts(self) -> bool:
        """Whether the provider tells parts of the tokens apart."""
        parts = self.cache_read_input_tokens or self.cache_write_input_tokens or self.reasoning_output_tokens
        return bool(parts or self.input_by_modality or self.output_by_modality or self.cache_read_by_modality)

    @property
    def is_known(self) -> bool:
        """Whether the provider told anything."""
        return self.input_tokens is not None or self.output_tokens is not None


NO_TOKENS: Final = TokenUsage()
"""Of a call that took none; never to be changed."""


def token_usage(usage: Any) -> TokenUsage:
    """Read a usage mapping or object of chat completions, the Responses API, Anthropic, or DSPy 3.3's typed path.

    Zero tokens in and out mean that nothing was reported: LiteLLM fills in zeros where a stream carried no usage, and
    no provider answers an empty request.
    """
    if not usage and type(usage) is dict:
        return TokenUsage()
    input_tokens = _first_count(usage, "prompt_tokens", "input_tokens")
    output_tokens = _first_count(usage, "completion_tokens", "output_tokens")
    if not input_tokens and not output_tokens:
        return TokenUsage()
    if type(usage) is dict and _PLAIN.issuperset(usage) and not (usage.get(_DETAILS[0]) or usage.get(_DETAILS[1])):
        # As DSPy 3.4 tells of most calls.
        return TokenUsage(input_tokens, output_tokens)
    input_details = _first(usage, "prompt_tokens_details", "input_tokens_details")
    output_details = _first(usage, "completion_tokens_details", "output_tokens_details")
    cache_read = _count(input_details, "cached_tokens") or _first_count(usage, *_CACHE_READ)
    cache_write = _count(input_details, "cache_creation_tokens") or _first_count(usage, *_CACHE_WRITE)
    reasoning = _count(output_details, "reasoning_tokens") or _count(usage, "reasoning_tokens")
    if input_details is None and _count(usage, "prompt_tokens") is None and _first_count(usage, *_APART) is not None:
        input_tokens = (input_tokens or 0) + (cache_read or 0) + (cache_write or 0)
    if reasoning and _count(usage, "total_tokens") == (input_tokens or 0) + (output_tokens or 0) + reasoning:
        # xAI's completion tokens are those of the answer alone; only the total tells.
        output_tokens = (output_tokens or 0) + reasoning
    return TokenUsage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_input_tokens=cache_read,
        cache_write_input_tokens=cache_write,
        long_cache_write_input_tokens=_long_cache_write(usage, input_details) if cache_write else None,
        reasoning_output_tokens=reasoning,
        input_by_modality=_by_modality(input_details, input_tokens),
        output_by_modality=_by_modality(output_details, output_tokens, reasoning),
    )


_DETAILS = ("prompt_tokens_details", "completion_tokens_details")
_PLAIN = frozenset({"prompt_tokens", "completion_tokens", "total_tokens", *_DETAILS})
"""Members of a usage that has no parts to tell apart, where its details are empty."""


def _long_cache_write(usage: Any, input_details: Any) -> int | None:
    by_duration = member(usage, "cache_creation") or member(input_details, "cache_creation_token_details")
    return None if by_duration is None else _count(by_duration, "ephemeral_1h_input_tokens")


_APART = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""Anthropic's names: in its own usage these tokens come on top of ``input_tokens``. LiteLLM keeps the names beside
``prompt_tokens``, which include them."""

_CACHE_READ = ("cache_read_tokens", "cache_read_input_tokens")
_CACHE_WRITE = ("cache_write_tokens", "cache_creation_input_tokens")


def add_up(usages: Iterable[TokenUsage]) -> TokenUsage:
    """Return the sum of each count, over those where it is known."""
    all_usages = [*usages]
    if len(all_usages) == 1:
        only = all_usages[0]
        return TokenUsage(
            only.input_tokens,
            only.output_tokens,
            only.cache_read_input_tokens,
            only.cache_write_input_tokens,
            only.reasoning_output_tokens,
            long_cache_write_input_tokens=only.long_cache_write_input_tokens,
        )
    return TokenUsage(
        input_tokens=_sum(usage.input_tokens for usage in all_usages),
        output_tokens=_sum(usage.output_tokens for usage in all_usages),
        cache_read_input_tokens=_sum(usage.cache_read_input_tokens for usage in all_usages),
        cache_write_input_tokens=_sum(usage.cache_write_input_tokens for usage in all_usages),
        long_cache_write_input_tokens=_sum(usage.long_cache_write_input_tokens for usage in all_usages),
        reasoning_output_tokens=_sum(usage.reasoning_output_tokens for usage in all_usages),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def split_by_modality(usage: TokenUsage, reply: Any) -> None:
    """Complete a usage by what only the provider's own reply, a mapping, tells.

    That is all modalities, not audio alone, and how much of what was cached now stays for an hour.
    """
    if not isinstance(reply, dict):
        return
    own = reply.get("usageMetadata")
    if isinstance(own, dict):
        # Gemini's generateContent.
        usage.input_by_modality = _listed(own.get("promptTokensDetails"))
        usage.output_by_modality = _listed(own.get("candidatesTokensDetails"))
        usage.cache_read_by_modality = _listed(own.get("cacheTokensDetails"))
    elif isinstance(own := reply.get("usage"), dict):
        inputs = own.get("prompt_tokens_details") or own.get("input_tokens_details")
        outputs = own.get("completion_tokens_details") or own.get("output_tokens_details")
        if usage.cache_write_input_tokens:
            usage.long_cache_write_input_tokens = _long_cache_write(own, inputs) or usage.long_cache_write_input_tokens
        if inputs is None and outputs is None:
            return
        usage.input_by_modality = _by_modality(inputs, usage.input_tokens) or usage.input_by_modality
        told = _by_modality(outputs, usage.output_tokens, usage.reasoning_output_tokens)
        usage.output_by_modality = told or usage.output_by_modality


def _by_modality(details: Any, total: int | None, reasoning: int | None = None) -> tuple[tuple[str, int], ...]:
    """Return the modalities of some tokens; of text only if it is all the text.

    LiteLLM's ``text_tokens`` of Anthropic's models are those that were not cached.
    """
    if details is None:
        return ()
    counts = [(name, count) for name in _MODALITIES if (count := _count(details, f"{name}_tokens"))]
    together = sum(count for _, count in counts)
    if together == total or together + (reasoning or 0) == total:
        return tuple(counts)
    return tuple((name, count) for name, count in counts if name != "text")


_MODALITIES = ("text", "image", "audio")


def _listed(details: Any) -> tuple[tuple[str, int], ...]:
    if not isinstance(details, list):
        return ()
    counts = ((str(member(entry, "modality")).lower(), _count(entry, "tokenCount")) for entry in details)
    return tuple((modality, count) for modality, count in counts if count)


def _first(value: Any, *names: str) -> Any:
    for name in names:
        found = member(value, name)
        if found is not None:
            return found
    return None


def _first_count(value: Any, *names: str) -> int | None:
    for name in names:
        found = _count(value, name)
        if found is not None:
            return found
    return None


def _count(value: Any, name: str) -> int | None:
    return None if value is None else count_of(member(value, name))
