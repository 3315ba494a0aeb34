"""Prompts, replies and values as lines below a row of the tree: short, and nothing of them moves the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .columns import columns_of, cut, ending, printable, wrapped
from .words import Part

if TYPE_CHECKING:
    from .characters import Characters
    from .said import Said

__all__ = ["quotes_of"]

_WIDEST_LINE: Final = 120
"""Where the width is not known, or larger: longer lines are hard to read."""
_WIDEST_LABEL: Final = 20
_NARROWEST_TEXT: Final = 16
_GAP: Final = "  "
_CHARACTERS_IN_COLUMN: Final = 4


def quotes_of(contents: list[Said], guides: str, characters: Characters, width: int | None) -> list[list[Part]]:
    """Return the lines of some texts, each behind its label."""
    if not contents:
        return []
    labels = [characters(cut(_one_line(said.label), _WIDEST_LABEL)) for said in contents]
    label_width = max(map(columns_of, labels))
    taken = columns_of(guides) + label_width + len(_GAP)
    room = max(_NARROWEST_TEXT, min(_WIDEST_LINE, width or _WIDEST_LINE) - taken)
    lines = []
    for label, said in zip(labels, contents, strict=True):
        for line in _shown(said, room, characters) or [""]:
            blank = " " * (label_width - columns_of(label))
            lines.append([Part(guides, "dim"), Part(label + blank + _GAP, "dim cyan"), Part(line)])
            label = ""
    return lines


def _shown(said: Said, room: int, characters: Characters) -> list[str]:
    """Return a text in its lines: the beginning of what is too long and, if that is asked for, its end.

    The end of a prompt is where the question stands behind its context, the last observation of an agent behind all
    others, and the answer behind the reasoning.
    """
    # A line holds few characters that take no column of their own; of a long text no more than that is looked at.
    enough = _CHARACTERS_IN_COLUMN * room * said.lines
    lines = wrapped(characters(_one_line(said.text[:enough])), room)
    if len(lines) <= said.lines and len(said.text) <= enough:
        return lines
    ellipsis = characters("…")
    if not said.tail or said.lines < 3:
        lines = lines[: said.lines]
        return [*lines[:-1], _with_ellipsis(lines[-1], room, ellipsis)] if lines else [ellipsis]
    end = ending(characters(_one_line(said.text[-enough:])), room - len(ellipsis) - 1)
    return [*lines[: said.lines - 1], f"{ellipsis} {end}"]


def _one_line(text: str) -> str:
    return " ".join(printable(text).split())


def _with_ellipsis(line: str, width: int, ellipsis: str) -> str:
    return cut(line, width - len(ellipsis)).rstrip() + ellipsis
