"""Writes the table into ``docs/screens.md``, between two marks; the words around it are nobody's but a person's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cells import ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .reading import Reading

__all__ = ["BEGIN", "END", "table", "write"]

BEGIN = "<!-- From here to the other mark: written by `make screens`. -->"
END = "<!-- To here. -->"


def table(readings: Sequence[Reading]) -> str:
    """Return the table as Markdown, a column for each reading."""
    columns = [reading.title for reading in readings]
    lines = [_line(["what a person sees", *columns]), _line(["---"] * (len(columns) + 1))]
    lines += [_line([row.title, *(row.cell(reading.seen, reading.expected) for reading in readings)]) for row in ROWS]
    versions = "; ".join(f"{reading.title}: {reading.versions}" for reading in readings)
    return "\n".join([*lines, "", f"Versions: {versions}."])


def write(page: Path, readings: Sequence[Reading]) -> None:
    """Put the table in the place of the one before. Raises: `ValueError` where the page lacks the marks."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} lacks the marks between which the table stands")
    page.write_text(f"{before}{BEGIN}\n\n{table(readings)}\n\n{END}{after}", encoding="utf-8")


def _line(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"
