"""Spans put together as a tree: what each one says of itself, and the sums of what is below it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_OPERATION_NAME,
    GEN_AI_RESPONSE_MODEL,
    GEN_AI_USAGE_INPUT_TOKENS,
    GEN_AI_USAGE_OUTPUT_TOKENS,
    GenAiOperationNameValues,
)
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_MESSAGE, EXCEPTION_TYPE
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, StatusCode

from ..semconv import (
    DSPY_CACHE_HIT,
    DSPY_CACHE_SAVED_COST,
    DSPY_USAGE_CACHE_HITS,
    DSPY_USAGE_COST,
    DSPY_USAGE_COST_UNKNOWN_CALLS,
    DSPY_USAGE_EMBEDDING_CALLS,
    DSPY_USAGE_EMBEDDING_TOKENS,
    DSPY_USAGE_INPUT_TOKENS,
    DSPY_USAGE_LM_CALLS,
    DSPY_USAGE_OUTPUT_TOKENS,
    DSPY_USAGE_SAVED_COST,
    GEN_AI_USAGE_COST_AMOUNT,
    GEN_AI_USAGE_COST_CURRENCY,
)
from ..usage_sums import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.util.types import AttributeValue

__all__ = [
    "Node",
    "SpanError",
    "Summary",
    "attributes_of",
    "build_tree",
    "call_usage",
    "context_of",
    "is_embedding",
    "is_lm_call",
    "lm_usage",
    "number_of",
]

_LM_OPERATIONS: Final = frozenset(
    {
        GenAiOperationNameValues.CHAT.value,
        GenAiOperationNameValues.TEXT_COMPLETION.value,
        GenAiOperationNameValues.GENERATE_CONTENT.value,
    }
)


@dataclass(frozen=True, slots=True)
class SpanError:
    """What a failed span says of its failure; both are empty strings where it says nothing."""

    type: str
    message: str


@dataclass(slots=True)
class Summary:
    """Sums over spans.

    ``errors`` counts an error once, where it came up, not in each parent that failed of it too; ``survived``
    counts those of them that some span above caught.
    """

    spans: int = 0
    genai_spans: int = 0
    errors: int = 0
    survived: int = 0
    usage: Usage = field(default_factory=Usage)

    def add(self, other: Summary) -> None:
        """Add another sum to this one, in place."""
        self.spans += other.spans
        self.genai_spans += other.genai_spans
        self.errors += other.errors
        self.survived += other.survived
        self.usage.add(other.usage)


@dataclass(slots=True)
class Node:
    """One span, its children by start time, and the sums over it and all that is below.

    ``printed_above`` is what was below it and had to be printed before the span itself arrived.
    """

    span: ReadableSpan
    error: SpanError | None
    children: list[Node] = field(default_factory=list)
    printed_above: Summary | None = None
    summary: Summary = field(default_factory=Summary)

    @property
    def start(self) -> int:
        """Start time, nanoseconds since the epoch."""
        return self.span.start_time or 0

    @property
    def duration(self) -> int:
        """Duration in nanoseconds."""
        return max(0, (self.span.end_time or self.start) - self.start)


def attributes_of(span: ReadableSpan) -> Mapping[str, AttributeValue]:
    """Return the span's attributes, empty if it has none."""
    return span.attributes or {}


def context_of(span: ReadableSpan) -> SpanContext:
    """Return the span's own context; the SDK's type says that it may lack one."""
    return span.context or INVALID_SPAN_CONTEXT


def number_of(span: ReadableSpan, name: str) -> float | None:
    """Return a numeric attribute; None if it is absent or, as other libraries' may be, no finite number."""
    value = attributes_of(span).get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def is_lm_call(span: ReadableSpan) -> bool:
    """Whether the span is one language model call, from this or from another GenAI instrumentation."""
    return attributes_of(span).get(GEN_AI_OPERATION_NAME) in _LM_OPERATIONS


def is_embedding(span: ReadableSpan) -> bool:
    """Whether the span is one call of an embedder, from this or from another GenAI instrumentation."""
    return attributes_of(span).get(GEN_AI_OPERATION_NAME) == GenAiOperationNameValues.EMBEDDINGS.value


def build_tree(head: ReadableSpan, children_of: dict[int, list[ReadableSpan]], above: dict[int, Summary]) -> list[Node]:
    """Take ``head`` and all that is below it out of the two tables; return the nodes, the head's first.

    There is no recursion, so that a program which calls itself a thousand times deep can be shown.
    """
    nodes = [Node(head, _error_of(head))]
    for node in nodes:
        spans = children_of.pop(context_of(node.span).span_id, [])
        node.children = sorted((Node(span, _error_of(span)) for span in spans), key=lambda child: child.start)
        nodes.extend(node.children)
    for node in reversed(nodes):
        node.printed_above = above.pop(context_of(node.span).span_id, None)
        _sum_up(node)
    return nodes


def _sum_up(node: Node) -> None:
    summary = node.summary
    for below in _summaries_below(node):
        summary.add(below)
    summary.spans += 1
    summary.genai_spans += _is_genai(node.span)
    if node.error is None:
        # Whatever failed below did not make this span fail: it was caught on the way.
        summary.survived = summary.errors
    elif summary.survived == summary.errors:
        summary.errors += 1  # Nothing came up from below, so it came up here.
    summary.usage = _usage_of(node.span, summary.usage)


def _summaries_below(node: Node) -> Iterator[Summary]:
    for child in node.children:
        yield child.summary
    if node.printed_above is not None:
        yield node.printed_above


def _usage_of(span: ReadableSpan, below: Usage) -> Usage:
    """A call speaks for itself; of a parent's roll-up and the sum of its children, each may know more.

    The roll-up knows calls in linked traces and calls that were not sampled; the children know a call that
    ended after its parent did. Neither ever counts too much, so the larger number is the better one.
    """
    if is_embedding(span):
        return _at_least(below, _embedding_usage(span))
    if not is_lm_call(span):
        return _at_least(below, _rolled_up(span))
    own = lm_usage(span)
    if own.input_tokens or own.output_tokens or own.cache_hits:
        return own
    return _at_least(below, own)


def lm_usage(span: ReadableSpan) -> Usage:
    """Return what one call of a language model used and cost."""
    usage = Usage(lm_calls=1)
    if attributes_of(span).get(DSPY_CACHE_HIT) is True:
        usage.cache_hits = 1
        usage.saved_cost = number_of(span, DSPY_CACHE_SAVED_COST) or 0.0
        return usage
    usage.input_tokens = int(number_of(span, GEN_AI_USAGE_INPUT_TOKENS) or 0)
    usage.output_tokens = int(number_of(span, GEN_AI_USAGE_OUTPUT_TOKENS) or 0)
    cost = _dollars(span)
    if cost is not None:
        usage.cost = cost
    elif span.status.status_code is not StatusCode.ERROR:
        usage.cost_unknown_calls = 1
    return usage


def _embedding_usage(span: ReadableSpan) -> Usage:
    """Return what one call of an embedder used and cost; a function that tells of no reply takes no price."""
    tokens, cost = int(number_of(span, GEN_AI_USAGE_INPUT_TOKENS) or 0), _dollars(span)
    is_answered = tokens > 0 or cost is not None or GEN_AI_RESPONSE_MODEL in attributes_of(span)
    is_stopped = attributes_of(span).get(ERROR_TYPE) == _STOPPED
    if attributes_of(span).get(DSPY_CACHE_HIT) is True or (is_stopped and not is_answered):
        return Usage()
    return Usage(
        embedding_calls=1,
        embedding_tokens=tokens,
        cost=cost or 0.0,
        cost_unknown_calls=int(is_answered and cost is None),
    )


_STOPPED: Final = "opentelemetry.instrumentation.dspy.BudgetStop"


def call_usage(span: ReadableSpan) -> Usage | None:
    """Return what one call of a language model or an embedder used and cost, ``None`` for any other span."""
    return lm_usage(span) if is_lm_call(span) else _embedding_usage(span) if is_embedding(span) else None


def _dollars(span: ReadableSpan) -> float | None:
    """Return the price of a call; one in another currency is not known, as far as a sum of dollars goes."""
    currency = attributes_of(span).get(GEN_AI_USAGE_COST_CURRENCY, "USD")
    return number_of(span, GEN_AI_USAGE_COST_AMOUNT) if currency == "USD" else None


def _rolled_up(span: ReadableSpan) -> Usage:
    return Usage(
        lm_calls=int(number_of(span, DSPY_USAGE_LM_CALLS) or 0),
        input_tokens=int(number_of(span, DSPY_USAGE_INPUT_TOKENS) or 0),
        output_tokens=int(number_of(span, DSPY_USAGE_OUTPUT_TOKENS) or 0),
        cost=number_of(span, DSPY_USAGE_COST) or 0.0,
        cost_unknown_calls=int(number_of(span, DSPY_USAGE_COST_UNKNOWN_CALLS) or 0),
        cache_hits=int(number_of(span, DSPY_USAGE_CACHE_HITS) or 0),
        saved_cost=number_of(span, DSPY_USAGE_SAVED_COST) or 0.0,
        embedding_calls=int(number_of(span, DSPY_USAGE_EMBEDDING_CALLS) or 0),
        embedding_tokens=int(number_of(span, DSPY_USAGE_EMBEDDING_TOKENS) or 0),
    )


def _at_least(one: Usage, other: Usage) -> Usage:
    return Usage(
        lm_calls=max(one.lm_calls, other.lm_calls),
        input_tokens=max(one.input_tokens, other.input_tokens),
        output_tokens=max(one.output_tokens, other.output_tokens),
        cost=max(one.cost, other.cost),
        cost_unknown_calls=max(one.cost_unknown_calls, other.cost_unknown_calls),
        cache_hits=max(one.cache_hits, other.cache_hits),
        saved_cost=max(one.saved_cost, other.saved_cost),
        embedding_calls=max(one.embedding_calls, other.embedding_calls),
        embedding_tokens=max(one.embedding_tokens, other.embedding_tokens),
    )


def _is_genai(span: ReadableSpan) -> bool:
    return any(name.startswith(("dspy.", "gen_ai.")) for name in attributes_of(span))


def _error_of(span: ReadableSpan) -> SpanError | None:
    error_type = str(attributes_of(span).get(ERROR_TYPE, ""))
    if span.status.status_code is not StatusCode.ERROR and not error_type:
        return None
    message = span.status.description or ""
    for event in span.events:
        event_attributes = event.attributes or {}
        error_type = error_type or str(event_attributes.get(EXCEPTION_TYPE, ""))
        message = message or str(event_attributes.get(EXCEPTION_MESSAGE, ""))
    # The SDK's own record of an exception puts the type in front of the message, and so do some libraries.
    message = message.removeprefix(f"{error_type}: ").removeprefix(f"{error_type.rpartition('.')[2]}: ")
    return SpanError(error_type, message)
