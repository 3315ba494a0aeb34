"""What a backend shows of one run of the program, in words that hold for every backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Event", "Row", "Run", "Seen", "Session", "Span", "flat"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a span tells of one moment."""

    name: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """One line of a trace; an input, output or kind that the page leaves empty is an empty text."""

    id: str
    parent: str | None
    trace: str
    name: str
    kind: str
    input: str
    output: str
    failed: bool
    attributes: Mapping[str, Any]
    """By dotted names."""
    events: tuple[Event, ...] = ()
    cost: float | None = None
    """In dollars, as the backend reckons."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list of traces."""

    trace: str
    name: str
    input: str
    output: str
    run: str = ""
    """Which experiment's run it belongs to, where the backend has such."""


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation as the backend lists it."""

    name: str
    user: str
    turns: int
    turns_with_texts: int


@dataclass(frozen=True, slots=True)
class Run:
    """An experiment's run, where the backend has such."""

    name: str
    metrics: Mapping[str, float]
    is_part: bool
    """Whether it belongs to another run."""
    scored_examples: int
    """Lines of the table of an evaluation's results."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was read back."""

    spans: tuple[Span, ...]
    rows: tuple[Row, ...]
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    dollars: float
    sessions: tuple[Session, ...] = ()
    runs: tuple[Run, ...] = ()

    @property
    def roots(self) -> tuple[Span, ...]:
        """Spans with nothing above them."""
        known = {span.id for span in self.spans}
        return tuple(span for span in self.spans if span.parent not in known)


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return nested objects and lists as one, by dotted names; lists of plain values stay."""
    if isinstance(value, dict):
        parts: Any = value.items()
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        parts = enumerate(value)
    else:
        return {name: value}
    return {
        key: item for part, inner in parts for key, item in flat(inner, f"{name}.{part}" if name else str(part)).items()
    }
