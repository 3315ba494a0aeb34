"""What a span shows as its input or its output: content where it was recorded, else a summary that is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai

from .. import semconv
from ..amounts import count_words, money_words
from .bounds import cut, dumped, fitted, parsed
from .media_words import with_media_in_words
from .words import JSON, TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Shown", "content", "counted", "json_of", "scored", "summary", "text_or_json", "tokens", "used"]


_MEDIA = "?bytes="
"""Stands in whatever stands for media."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One side of a span."""

    value: str
    mime_type: str = TEXT
    is_content: bool = True

    def bounded(self, length: int) -> Shown:
        """Return it with at most so many characters; JSON stays JSON where that can be."""
        if len(self.value) <= length:
            return self
        shorter = fitted(parsed(self.value), length) if self.mime_type == JSON else None
        return Shown(cut(self.value, length), TEXT, self.is_content) if shorter is None else Shown(shorter, JSON)


def json_of(value: Any) -> Shown:
    """Return any value as JSON."""
    return Shown(dumped(value), JSON)


def text_or_json(value: str) -> Shown:
    """Return a text as what it is."""
    return Shown(value, JSON if isinstance(parsed(value), (dict, list)) else TEXT)


def content(attributes: Mapping[str, Any], name: str) -> Shown | None:
    """Return a content attribute, of JSON with a single text in it that text; ``None`` where it was not recorded."""
    value = attributes.get(name)
    if not isinstance(value, str) or not value:
        return None
    found = parsed(value)
    if _MEDIA in value:
        found = with_media_in_words(found)
        value = dumped(found)
    if isinstance(found, (dict, list)) and len(found) == 1:
        [found] = found.values() if isinstance(found, dict) else found
    return Shown(found) if isinstance(found, str) and found else text_or_json(value)


def summary(*parts: Any) -> Shown | None:
    """Return the parts that there are in one line, ``None`` if there is none."""
    text = " · ".join([str(part) for part in parts if part])
    return Shown(text, is_content=False) if text else None


def counted(count: Any, noun: str) -> str | None:
    """Return a number of things in words."""
    return count_words(count, noun) if isinstance(count, int) else None


def scored(score: Any) -> str | None:
    """Return a score in words."""
    return f"score {score:.6g}" if isinstance(score, (int, float)) else None


def tokens(attributes: Mapping[str, Any]) -> str | None:
    """Return the tokens of one call in words."""
    given = attributes.get(gen_ai.GEN_AI_USAGE_INPUT_TOKENS)
    made = attributes.get(gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS)
    if given is None:
        return None
    return f"{given} tokens" if made is None else f"{given} → {made} tokens"


def used(attributes: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the roll-up of a span tells."""
    calls, cost = attributes.get(semconv.DSPY_USAGE_LM_CALLS), attributes.get(semconv.DSPY_USAGE_COST)
    hits = attributes.get(semconv.DSPY_USAGE_CACHE_HITS)
    embedded = counted(attributes.get(semconv.DSPY_USAGE_EMBEDDING_TOKENS), "token")
    yield from [told for told in (counted(calls or None, "LM call"), counted(hits or None, "cache hit")) if told]
    if embedded is not None:
        yield f"{embedded} embedded"
    if isinstance(cost, (int, float)) and cost:
        yield money_words(cost)
