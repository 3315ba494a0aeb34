"""Numbers and facts of a span in the few words that fit on its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..amounts import count_words, money_words
from ..semconv import (
    DSPY_ADAPTER_TO,
    DSPY_AGENT_TERMINATION_REASON,
    DSPY_ATTEMPT_REWARD,
    DSPY_ATTEMPTS_BEST_REWARD,
    DSPY_EVALUATE_EXAMPLE_SCORE,
    DSPY_EVALUATE_FAILURES,
    DSPY_EVALUATE_SCORE,
    DSPY_LM_ATTEMPTS,
    DSPY_OPTIMIZER_BEST_SCORE,
    DSPY_OPTIMIZER_TRIAL_SCORE,
    DSPY_STRAGGLER,
    EVENT_DSPY_ADAPTER_FALLBACK,
)
from .columns import printable
from .tree import Node, SpanError, Summary, attributes_of, is_lm_call, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from ..usage_sums import Usage

__all__ = [
    "Part",
    "cost_words",
    "duration_words",
    "error_words",
    "note_words",
    "tidy",
    "total_words",
]

_LONGEST_MESSAGE: Final = 400


_SCORES: Final = (
    (DSPY_EVALUATE_SCORE, "score"),
    (DSPY_EVALUATE_EXAMPLE_SCORE, "score"),
    (DSPY_OPTIMIZER_TRIAL_SCORE, "score"),
    (DSPY_OPTIMIZER_BEST_SCORE, "best"),
    (DSPY_ATTEMPT_REWARD, "reward"),
    (DSPY_ATTEMPTS_BEST_REWARD, "best reward"),
)


class Part(NamedTuple):
    """A piece of a line and the rich style that it has in a terminal."""

    text: str
    style: str = ""


def tidy(text: str, longest: int = _LONGEST_MESSAGE) -> str:
    """Return ``text`` as one line without control characters, cut at ``longest`` characters.

    Names and error messages come from models and services: they must not move the cursor or break the tree.
    """
    line = " ".join(printable(text[: 4 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def duration_words(nanoseconds: int) -> str:
    """Return a duration in the unit that suits it: ``850 µs``, ``4.21 s``, ``2m 05s``, ``1h 02m``."""
    if nanoseconds < 999_500:
        return f"{nanoseconds / 1e3:.0f} µs"
    if nanoseconds < 999_500_000:
        return f"{_three_digits(nanoseconds / 1e6)} ms"
    if nanoseconds < 59_950_000_000:
        return f"{_three_digits(nanoseconds / 1e9)} s"
    minutes, seconds = divmod(round(nanoseconds / 1e9), 60)
    if minutes < 60:
        return f"{minutes}m {seconds:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def cost_words(usage: Usage) -> str:
    """Return what was paid: ``$0.0031``, ``$?`` where no price is known, ``$0.0031+?`` where some are not.

    Empty if nothing was used: no calls, or all of them failed or were answered by the cache.
    """
    if usage.cost_unknown_calls:
        return f"{money_words(usage.cost)}+?" if usage.cost > 0 else "$?"
    return money_words(usage.cost) if usage.cost > 0 or _tokens_were_used(usage) else ""


def _tokens_were_used(usage: Usage) -> bool:
    return usage.tokens > 0


def error_words(error: SpanError, *, with_message: bool, survived: bool) -> str:
    """Return ``✗ ValueError: message``, or as much of it as there is; survived if the parent did not fail."""
    words = f"✗ {tidy(error.type) or 'error'}{' (survived)' if survived else ''}"
    return f"{words}: {tidy(error.message)}" if with_message and error.message else words


def note_words(node: Node) -> Iterator[Part]:
    """Give out what else is worth a word on the span's line."""
    span, usage = node.span, node.summary.usage
    if usage.cache_hits:
        yield Part(_cache_words(usage, "cached" if is_lm_call(span) else f"{usage.cache_hits:,} cached"), "green")
    tries = number_of(span, DSPY_LM_ATTEMPTS)
    if tries is not None and tries > 1:
        yield Part(f"{tries:.0f} tries", "yellow")
    yield from _fallbacks(span)
    if attributes_of(span).get(DSPY_STRAGGLER) is True:
        yield Part("straggler, run again", "yellow")
    for name, label in _SCORES:
        if name in attributes_of(span):
            yield Part(f"{label} {_value_words(attributes_of(span)[name])}", "bold")
    failures = number_of(span, DSPY_EVALUATE_FAILURES)
    if failures:
        yield Part(f"{failures:.0f} failed", "red")
    reason = attributes_of(span).get(DSPY_AGENT_TERMINATION_REASON)
    if reason is not None and reason not in ("finish", "submit"):
        yield Part(f"stopped by {tidy(str(reason), 40)}", "yellow")


def _cache_words(usage: Usage, hits: str) -> str:
    return f"{hits}, saved {money_words(usage.saved_cost)}" if usage.saved_cost > 0 else hits


def _fallbacks(span: ReadableSpan) -> Iterator[Part]:
    for event in span.events:
        if event.name == EVENT_DSPY_ADAPTER_FALLBACK:
            adapter = (event.attributes or {}).get(DSPY_ADAPTER_TO, "another adapter")
            yield Part(f"fell back to {tidy(str(adapter), 40)}", "yellow")


def _value_words(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).lower() if isinstance(value, bool) else tidy(str(value), 40)


def total_words(summary: Summary) -> list[Part]:
    """Return the figures of a whole tree, each a part of its own: calls, tokens, cost, cache, errors."""
    usage = summary.usage
    parts = []
    if usage.lm_calls:
        parts.append(Part(count_words(usage.lm_calls, "LM call"), "bold"))
    if usage.input_tokens or usage.output_tokens:
        parts.append(Part(f"{usage.input_tokens:,} → {usage.output_tokens:,} tokens"))
    if usage.embedding_tokens:
        parts.append(Part(f"{count_words(usage.embedding_tokens, 'token')} embedded"))
    if usage.cost > 0 or (_tokens_were_used(usage) and not usage.cost_unknown_calls):
        parts.append(Part(money_words(usage.cost), "bold yellow"))
    if usage.cost_unknown_calls:
        parts.append(Part(f"{count_words(usage.cost_unknown_calls, 'call')} of unknown price", "bold yellow"))
    if usage.cache_hits:
        parts.append(Part(_cache_words(usage, count_words(usage.cache_hits, "cache hit")), "green"))
    if summary.errors:
        parts.append(Part(_errors_words(summary), "bold red"))
    return parts


def _errors_words(summary: Summary) -> str:
    if summary.survived == summary.errors:
        return count_words(summary.errors, "survived error")
    survived = f", {summary.survived:,} survived" if summary.survived else ""
    return count_words(summary.errors, "error") + survived
