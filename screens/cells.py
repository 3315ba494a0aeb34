"""The table, cell by cell: each is reckoned from what was read back, by the same rule for every column.

A cell tells how much there is of how much there could be. What there could be is known from the program and from the
bill of its model's service, not from any instrumentation.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import evaluations
from .words import counted, dollars, none_or, of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .expected import Expected
    from .seen import Seen, Span

__all__ = ["ROWS", "TableRow"]

_MODULE = re.compile(r"(?:invoke_workflow |invoke_agent )?(?:Predict|ChainOfThought|ReAct|SupportDesk|ResolveOrderQ)")
_DOCUMENT = re.compile(r"retrieval\.documents\.\d+\.document\.content")
_STACK = "exception.stacktrace"
_PICTURE = "iVBORw0KGgo"
"""What every PNG begins with in base64."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """What a person looks for, and how a cell says what they find."""

    title: str
    cell: Callable[[Seen, Expected], str]


def _list(seen: Seen, expected: Expected) -> str:
    names = Counter(row.name for row in seen.rows if row.name)
    if not names:
        return f"{len(seen.rows)}, none with a name"
    [(name, times)] = names.most_common(1)
    return f"{len(seen.rows)}, {counted(len(names), 'name')}; `{name}` {counted(times, 'time')}"


def _list_sides(seen: Seen, expected: Expected) -> str:
    return of(sum(bool(row.input and row.output) for row in seen.rows), len(seen.rows))


def _sides(spans: Iterable[Span]) -> str:
    held = list(spans)
    return of(sum(bool(span.input and span.output) for span in held), len(held))


def _all_sides(seen: Seen, expected: Expected) -> str:
    return _sides(seen.spans)


def _module_sides(seen: Seen, expected: Expected) -> str:
    return _sides(span for span in seen.spans if _MODULE.match(span.name))


def _kinds(seen: Seen, expected: Expected) -> str:
    kinds = Counter(span.kind.lower().replace("_", " ") or "none" for span in seen.spans)
    return ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())


def _tokens(seen: Seen, expected: Expected) -> str:
    given, with_embeddings = expected.input_tokens, expected.input_tokens + expected.embedding_tokens
    embeds = seen.input_tokens == with_embeddings != given
    told = of(seen.input_tokens, with_embeddings if embeds else given)
    return f"{told} in{' (embeddings too)' if embeds else ''}, {of(seen.output_tokens, expected.output_tokens)} out"


def _cached(seen: Seen, expected: Expected) -> str:
    return of(seen.cached_tokens, expected.cached_tokens)


def _cost(seen: Seen, expected: Expected) -> str:
    return f"{dollars(seen.dollars)} of {dollars(expected.dollars)}"


def _sessions(seen: Seen, expected: Expected) -> str:
    turns, told = (sum(getattr(held, side) for held in seen.sessions) for side in ("turns", "turns_with_texts"))
    users = ", ".join(sorted({f"`{held.user}`" for held in seen.sessions if held.user}))
    return f"{of(turns, expected.turns)} turns, {told} with texts; user {users or 'none'}"


def _tools(seen: Seen, expected: Expected) -> str:
    calls = [span for span in seen.spans if any(tool in span.name for tool in expected.tools)]
    told = sum(bool(span.input and span.output) for span in calls)
    return none_or(f"{of(told, len(expected.tools))} calls", calls)


def _passages(seen: Seen, expected: Expected) -> str:
    searches = [span for span in seen.spans if span.kind.lower() == "retriever"]
    found = sum(_documents(span) for span in searches)
    told = (
        f"{of(len(searches), expected.searches)} searches, {of(found, expected.searches * expected.passages)} passages"
    )
    return none_or(told, searches)


def _documents(span: Span) -> int:
    """Return how many passages stand apart: by OpenInference's names, or as items of the output."""
    named = sum(bool(_DOCUMENT.fullmatch(name)) for name in span.attributes)
    if named:
        return named
    try:
        items = json.loads(span.output)
    except ValueError:
        return 0
    return len(items) if isinstance(items, list) else 0


def _embeddings(seen: Seen, expected: Expected) -> str:
    calls = [span for span in seen.spans if "text-embedding-3-small" in span.name]
    tokens = sum(span.attributes.get("gen_ai.usage.input_tokens", 0) for span in calls)
    told = f"{of(len(calls), expected.embeddings)} calls, {of(tokens, expected.embedding_tokens)} tokens"
    return none_or(f"{told}, {sum(bool(span.cost) for span in calls)} priced", calls)


def _marks(seen: Seen, expected: Expected) -> str:
    hits = sum(span.attributes.get("dspy.cache.hit") is True for span in seen.spans)
    retries = sum("retry" in event.name for span in seen.spans for event in span.events)
    told = sum("fallback" in event.name for span in seen.spans for event in span.events)
    # Whoever has spans of adapters shows the second adapter's.
    shown = sum(span.name in ("JSONAdapter.__call__", "JSONAdapter.parse") for span in seen.spans)
    return f"{counted(hits, 'hit')}, {counted(retries, 'retry', 'retries')}, {counted(told or shown, 'fallback')}"


def _first_chunk(seen: Seen, expected: Expected) -> str:
    return of(sum("gen_ai.response.time_to_first_chunk" in span.attributes for span in seen.spans), 1)


def _picture(seen: Seen, expected: Expected) -> str:
    whole = sum(any(_PICTURE in str(value) for value in span.attributes.values()) for span in seen.spans)
    if whole:
        return f"all its bytes, on {counted(whole, 'span')}"
    told = sum(any("sha256" in str(value) for value in span.attributes.values()) for span in seen.spans)
    return f"type, size and hash, on {counted(told, 'span')}" if told else "none"


def _broken(seen: Seen, expected: Expected) -> str:
    failed = [span for span in seen.spans if span.failed]
    stacks = [span.name for span in seen.spans for event in span.events if event.attributes.get(_STACK)]
    where = ", ".join(f"`{name}`" for name in dict.fromkeys(stacks))
    return f"{counted(len(failed), 'span')} failed, {counted(len(stacks), 'stack')}{f': {where}' if where else ''}"


ROWS = (
    TableRow("rows in the list of traces", _list),
    TableRow("input and output in the list", _list_sides),
    TableRow("input and output of a span", _all_sides),
    TableRow("input and output of a module", _module_sides),
    TableRow("kinds of spans", _kinds),
    TableRow("tokens, of what the model's service billed", _tokens),
    TableRow("tokens that the service read from its cache", _cached),
    TableRow("cost", _cost),
    TableRow("session and user", _sessions),
    TableRow("input and output of a tool", _tools),
    TableRow("searches and what they found", _passages),
    TableRow("embeddings", _embeddings),
    TableRow("evaluation", evaluations.evaluation),
    TableRow("optimizer", evaluations.optimizer),
    TableRow("cache hits, retries, fallbacks", _marks),
    TableRow("time to a stream's first chunk", _first_chunk),
    TableRow("a picture among the inputs", _picture),
    TableRow("where it broke", _broken),
)
"""From what a person sees first to what they look for when something is wrong."""
