"""Ids of spans in the forms in which applications keep them."""

from __future__ import annotations

import re

from opentelemetry.trace import (
    INVALID_SPAN_ID,
    INVALID_TRACE_ID,
    SpanContext,
    TraceFlags,
)

from .reading import is_kind, name_of_type, shown

__all__ = ["span_context_from_ids", "span_context_from_traceparent"]

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
"""W3C Trace Context, level 2: version, trace id, span id, flags; versions to come may add to it."""

_TRACE_DIGITS, _SPAN_DIGITS = 32, 16


def span_context_from_ids(trace_id: object, span_id: object) -> SpanContext:
    """Return what stands for a span of another process, by 32 and 16 hexadecimal digits or whole numbers.

    Raises ``TypeError`` for another type and ``ValueError`` for what is no id.
    """
    return SpanContext(
        _id("trace_id", trace_id, _TRACE_DIGITS, INVALID_TRACE_ID),
        _id("span_id", span_id, _SPAN_DIGITS, INVALID_SPAN_ID),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def span_context_from_traceparent(text: str) -> SpanContext:
    """Return what stands for the span of a W3C ``traceparent``; raises ``ValueError`` for any other text."""
    found = _TRACEPARENT.fullmatch(str.strip(text))
    if found is None or (found.group(0)[:2] == "00" and found.end() != found.end(3)):
        raise ValueError(
            f"A text stands for a span as a W3C traceparent, 00-<32 hexadecimal digits>-<16>-01, and this one is none: "
            f"{shown(text)}."
        )
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    if trace_id == INVALID_TRACE_ID or span_id == INVALID_SPAN_ID:
        raise ValueError(f"The traceparent {shown(text)} names no span: an id in it is all zeros.")
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))


def _id(name: str, value: object, digits: int, invalid: int) -> int:
    expected = f"{name}= takes {digits} hexadecimal digits, or that number,"
    if is_kind(value, str) and isinstance(value, str):
        if re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", value) is None:
            raise ValueError(f"{expected} not {shown(value)}.")
        number = int(value, 16)
    elif is_kind(value, int) and isinstance(value, int) and not isinstance(value, bool):
        # The number itself: a class that derives from ``int`` may compare in another way.
        number = int.__int__(value)
    else:
        raise TypeError(f"{expected} not {name_of_type(value)}.")
    if number == invalid or not 0 < number < 16**digits:
        raise ValueError(f"{expected} above zero, not {shown(value)}.")
    return number
