"""Which pages of a backend are looked at: the list, a trace, a call of the model, an evaluation, and more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .pictures import Page
from .reading import seen_of

if TYPE_CHECKING:
    from .reading import Column
    from .seen import Seen, Span

__all__ = ["tour"]

_STOPS = {
    "trace": ("How long does a parcel to Norway take?", ()),
    "model": ("How long does a parcel to Norway take?", ("chat gpt-4o-mini", "LM.__call__")),
    "evaluation": ("What does delivery to Switzerland cost", ()),
}
_MORE = {
    "search": ("How long does a parcel to Norway take?", ("retrieval",)),
    "agent": ("Has order A-1042 arrived", ()),
    "picture": ("What is in the picture?", ()),
    "error": ("How old is the workshop?", ()),
}
"""By the name of a picture: what stands in the inputs of the trace, and which of its spans is clicked on, if one is."""

_FIRST = "Which lamp is the brightest?"
"""Stands in one of the newest rows of every list."""


def tour(column: Column, url: str, answer: dict[str, Any], *, is_long: bool = False) -> dict[str, Page]:
    """Return the pages of a column, by the names of their pictures."""
    seen = seen_of(column.backend, answer)
    if column.backend == "phoenix":
        traces, of_trace = f"{url}/projects/{answer['id']}/traces", "/"
    else:
        traces, of_trace = f"{url}/#/experiments/{answer['id']}/traces", "?selectedEvaluationId="
    pages = {f"{column.name}-list": Page(traces, _FIRST)}
    for name, (question, clicked) in {**_STOPS, **(_MORE if is_long else {})}.items():
        root = _root(seen, question)
        inside = {span.name for span in seen.spans if root is not None and span.trace == root.trace}
        clicks = tuple(text for text in clicked if text in inside)
        if root is not None and (clicks or not clicked):
            pages[f"{column.name}-{name}"] = Page(f"{traces}{of_trace}{root.trace}", root.name, clicks)
    optimizer = next((span for span in seen.roots if span.name.startswith("optimize ")), None)
    if is_long and optimizer is not None:
        pages[f"{column.name}-optimizer"] = Page(f"{traces}{of_trace}{optimizer.trace}", optimizer.name)
    return pages


def _root(seen: Seen, question: str) -> Span | None:
    """Return the top of the trace in which a question was asked; of several the dearest, which no cache answered."""
    costs: dict[str, float] = {}
    for span in seen.spans:
        if question in span.input:
            costs.setdefault(span.trace, 0.0)
    for span in seen.spans:
        if span.trace in costs:
            costs[span.trace] += span.cost or 0.0
    roots = [span for span in seen.roots if span.trace in costs]
    return max(roots, key=lambda root: costs[root.trace], default=None)
