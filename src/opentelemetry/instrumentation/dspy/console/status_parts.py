"""What a terminal's width holds of the words for running calls: whole figures, and names as far as they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .columns import columns_of, cut
from .words import Part

if TYPE_CHECKING:
    from .characters import Characters

__all__ = ["StatusPart", "fitted"]

_BETWEEN: Final = " · "


@dataclass(frozen=True, slots=True)
class StatusPart:
    """A figure, or a name with a figure behind it.

    Where there is no room, names become shorter, down to ``narrowest`` columns; then the part of the lowest ``rank``
    goes.
    """

    text: str
    rank: int
    style: str = ""
    name: str = ""
    narrowest: int = 0


def fitted(parts: list[StatusPart], width: int, characters: Characters) -> list[Part]:
    """Return what ``width`` holds of the parts, with what stands between them; the highest rank alone may be cut."""
    between, ellipsis = characters(_BETWEEN), characters("…")
    kept = list(parts)
    names = _names_in(kept, width, between, characters)
    while names is None and len(kept) > 1:
        kept.remove(min(kept, key=lambda part: part.rank))
        names = _names_in(kept, width, between, characters)
    if names is None:
        return [Part(_shortened(characters(part.name + part.text), width, ellipsis), part.style) for part in kept]
    pieces: list[Part] = []
    for part, columns in zip(kept, names, strict=True):
        text = _shortened(characters(part.name), columns, ellipsis) + characters(part.text)
        pieces.append(Part(between + text if pieces else text, part.style))
    return pieces


def _names_in(parts: list[StatusPart], width: int, between: str, characters: Characters) -> list[int] | None:
    """Return the columns of each part's name, so that all parts fit; None if they cannot."""
    columns = [columns_of(characters(part.name)) for part in parts]
    figures = sum(columns_of(characters(part.text)) for part in parts) + columns_of(between) * (len(parts) - 1)
    missing = figures + sum(columns) - width
    for index in sorted(range(len(parts)), key=lambda index: parts[index].rank):
        spared = max(0, min(missing, columns[index] - parts[index].narrowest))
        columns[index] -= spared
        missing -= spared
    return columns if missing <= 0 else None


def _shortened(text: str, width: int, ellipsis: str) -> str:
    if columns_of(text) <= width:
        return text
    return cut(text, width - columns_of(ellipsis)).rstrip() + ellipsis if width >= columns_of(ellipsis) else ""
