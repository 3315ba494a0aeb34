"""Entries of W3C Baggage as attributes of spans and metric points, where they were named in the environment.

Baggage comes with a request, from whoever makes it: what is in it is bounded in length, goes through the application's
redaction, and has what looks like a secret taken out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.baggage import clear, get_all, set_baggage

from ..encodable import encodable
from ..reading import is_kind
from ..redaction import REDACTION_FAILED
from ..secrets import without_secrets
from .given import GivenLabels, cut, labels_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context

    from ..redaction import Redaction

__all__ = ["Baggage", "BaggageAttributes", "with_shared_baggage"]

MAX_KEPT = 1_024
"""Sets of entries of which the attributes are kept; a table that is full begins anew."""

LONGEST_REDACTED = 4_096
"""Characters of a value that are looked at: as many as an entry may have (W3C Baggage, limits)."""

_KIND = "input"
"""What the redaction is told that a value is: it comes with what a program is asked."""

_Values: TypeAlias = "tuple[str | None, ...]"


@dataclass(frozen=True, slots=True)
class BaggageAttributes:
    """What the named entries of one baggage are on telemetry: never changed in place."""

    on_spans: Mapping[str, str]
    on_metrics: GivenLabels | None


NONE = BaggageAttributes({}, None)


class Baggage:
    """The entries that were named; an entry for metrics stands on spans too."""

    __slots__ = ("_kept", "_names", "_on_metrics", "_redaction")

    def __init__(self, on_spans: tuple[str, ...], on_metrics: tuple[str, ...], redaction: Redaction) -> None:
        self._names = (*dict.fromkeys((*on_spans, *on_metrics)),)
        self._on_metrics = frozenset(on_metrics)
        self._redaction = redaction
        self._kept: dict[tuple[object, _Values], BaggageAttributes] = {}

    def attributes_in(self, context: Context) -> BaggageAttributes:
        """Return what the entries in a context are on telemetry."""
        entries = get_all(context)
        if not entries:
            return NONE
        # A redaction that is given later is in force at once.
        key = self._redaction.function, tuple([_text(entries.get(name)) for name in self._names])
        attributes = self._kept.get(key)
        if attributes is None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            attributes = self._kept[key] = self._attributes_of(key[1])
        return attributes

    def _attributes_of(self, values: _Values) -> BaggageAttributes:
        on_spans: dict[str, str] = {}
        for name, value in zip(self._names, values, strict=True):
            recorded = None if value is None else self._recorded(value)
            if recorded:
                on_spans[name] = recorded
        on_metrics = {name: value for name, value in on_spans.items() if name in self._on_metrics}
        return BaggageAttributes(on_spans, labels_with(on_metrics))

    def _recorded(self, value: str) -> str | None:
        """Return what may be recorded of a value, nothing where the redaction failed."""
        redacted = self._redaction.text(value, _KIND)
        return None if redacted == REDACTION_FAILED else cut(encodable(without_secrets(redacted)))


def with_shared_baggage(context: Context, contexts: Sequence[Context]) -> Context:
    """Return a context with the entries that all contexts have alike, for work that is done for all of them."""
    first, *others = [get_all(each) for each in contexts]
    context = clear(context)
    for name, value in first.items():
        if all(name in other and _text(other[name]) == _text(value) for other in others):
            context = set_baggage(name, value, context)
    return context


def _text(value: Any) -> str | None:
    """Return a value as it is in another process, to which baggage is carried as text; ``None`` for an odd one."""
    if is_kind(value, str):
        return encodable(value)[:LONGEST_REDACTED]
    return str(value) if type(value) in (bool, int, float) else None
