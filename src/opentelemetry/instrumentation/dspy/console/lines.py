"""A piece of a trace as lines: the tree on the left, the figures in columns, remarks on the right."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import format_trace_id

from ..amounts import count_words
from .columns import columns_of, cut, narrowed, wrapped
from .quotes import quotes_of
from .rows import Row, rows_of
from .tree import Node, Summary
from .words import Part, duration_words, error_words, tidy, total_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .characters import Characters
    from .folds import View
    from .pending import Piece

__all__ = ["Line", "lines_of", "remark", "side_by_side"]

Line = list[Part]

_WIDEST_NAME: Final = 100
_NARROWEST_NAME: Final = 24
_WIDEST_REMARKS: Final = 40
_NARROWEST_REMARK: Final = 20
_MOST_REMARK_LINES: Final = 3
_SHARE_OF_GUIDES: Final = 3
"""The guides take a third of the line at most."""
_NARROWEST_GUIDES: Final = 12
_GAP: Final = "  "
_FIGURE_STYLES: Final = (("", ""), ("", "dim"), ("", "dim"), ("yellow", "dim"))
"""Of the columns duration, calls, tokens, cost: for a span's own figures, and for sums over what is below."""


def lines_of(piece: Piece, *, characters: Characters, width: int | None, view: View) -> list[Line]:
    """Return the lines of one piece of a trace, without line ends.

    ``width`` is in terminal columns; None means that lines may be as long as they like. A piece without any
    DSPy or GenAI span becomes one line for each of its roots: a web server's health checks must not push the
    rest away.
    """
    summary = Summary()
    for root in piece.roots:
        summary.add(root.summary)
    if not summary.genai_spans:
        return [line for root in piece.roots for line in _flow(_compact(piece, root, view), characters, width)]
    complete = piece.kind == "complete"
    rows = rows_of(piece.roots, view, under_header=not complete)
    table = _table(rows, characters, width)
    words = _flow(_total(piece, summary, view) if complete else _header(piece, summary), characters, width)
    return [*table, *words] if complete else [*words, *table]


def side_by_side(parts: list[Part], *, characters: Characters, width: int | None) -> list[Line]:
    """Return parts as one line, or more where ``width`` does not hold them."""
    return _flow(parts, characters, width)


def remark(text: str, style: str, *, characters: Characters, width: int | None) -> list[Line]:
    """Return a text as one line, or more where ``width`` does not hold it."""
    text = characters(text)
    return [[Part(line, style)] for line in (wrapped(text, width) if width is not None else [text])]


def _total(piece: Piece, summary: Summary, view: View) -> list[Part]:
    parts = [Part("total", "dim"), *total_words(summary)]
    if view.times:
        parts.append(Part(duration_words(piece.roots[0].duration)))
    if piece.waiting:
        parts.append(Part(f"{count_words(piece.waiting, 'span')} to come when their parent ends", "yellow"))
    return [*parts, *_trace_parts(piece, view)]


def _header(piece: Piece, summary: Summary) -> list[Part]:
    kind = "… later in trace" if piece.kind == "later" else "… incomplete trace"
    return [Part(f"{kind} {format_trace_id(piece.trace_id)}", "yellow"), *total_words(summary)]


def _compact(piece: Piece, root: Node, view: View) -> list[Part]:
    kind = "" if piece.kind == "complete" else f"… {piece.kind}: "
    parts = [
        Part(f"{kind}{tidy(root.span.name)}", "red" if root.error else ""),
        *([Part(duration_words(root.duration))] if view.times else []),
        Part(count_words(root.summary.spans, "span")),
        *total_words(root.summary),
    ]
    if root.error is not None:
        parts.append(Part(error_words(root.error, with_message=True, survived=False), "red"))
    return [*parts, *_trace_parts(piece, view)]


def _trace_parts(piece: Piece, view: View) -> list[Part]:
    return [Part(f"trace {format_trace_id(piece.trace_id)}", "dim")] if view.times else []


def _table(rows: list[Row], characters: Characters, width: int | None) -> list[Line]:
    if width is not None:
        rows = _fitted(rows, width)
    names = [_translated([Part(row.guides, "dim"), *row.name], characters) for row in rows]
    name_width = min(_WIDEST_NAME, max(map(_width_of, names)))
    figures = _figures(rows, characters, with_words=True)
    if width is not None:
        # A fold, which has no duration of its own, can say the rest below its line.
        noted = [sum(len(_GAP + note.text) for note in row.notes) for row in rows if row.duration]
        remarks = min(_WIDEST_REMARKS, max(noted, default=0))
        if name_width + _width_of(figures[0]) + remarks > width:
            figures = _figures(rows, characters, with_words=False)
        name_width = min(name_width, max(_NARROWEST_NAME, width - _width_of(figures[0]) - remarks))
        names = [_cut(name, name_width, characters) for name in names]
    lines = []
    for row, name, cells in zip(rows, names, figures, strict=True):
        line = [*name, Part(" " * (name_width - _width_of(name))), *cells]
        lines.extend(_with_remarks(line, row, characters, width))
        quotes = quotes_of(row.contents, characters(row.guides_below), characters, width)
        lines.extend(_cut(_without_blanks_at_end(quote), width, characters) for quote in quotes)
    return lines


def _figures(rows: list[Row], characters: Characters, *, with_words: bool) -> list[Line]:
    """Return duration, calls, tokens and cost of each row, all equally wide; empty columns take no place."""
    tokens_in = _column([row.tokens_in for row in rows])
    tokens_out = _column([row.tokens_out for row in rows])
    tokens = [
        characters(f"{tokens_in[index]} → {tokens_out[index]}") if row.tokens_out else ""
        for index, row in enumerate(rows)
    ]
    columns = (
        _column([characters(row.duration) for row in rows]),
        _column([characters(_calls(row, with_words=with_words)) for row in rows]),
        _column(tokens),
        _money_column([row.cost for row in rows]),
    )
    return [
        [
            Part(_GAP + column[index], rolled_up_style if row.is_rolled_up else style)
            for column, (style, rolled_up_style) in zip(columns, _FIGURE_STYLES, strict=True)
            if column[index]
        ]
        for index, row in enumerate(rows)
    ]


def _calls(row: Row, *, with_words: bool) -> str:
    if not row.calls:
        return ""
    # The space behind `call` keeps the numbers of one call and of many in the same column.
    return f"Σ {count_words(row.calls, 'call ', 'calls')}" if with_words else f"Σ {row.calls:,}"


def _column(cells: list[str]) -> list[str]:
    width = max(map(len, cells))
    return [cell.rjust(width) for cell in cells]


def _money_column(cells: list[str]) -> list[str]:
    """Align the amounts at their decimal points."""
    parts = [cell.partition(".") for cell in cells]
    dollars = _column([before for before, _, _ in parts])
    width = max(len(point + after) for _, point, after in parts)
    return [before + (point + after).ljust(width) for before, (_, point, after) in zip(dollars, parts, strict=True)]


def _with_remarks(line: Line, row: Row, characters: Characters, width: int | None) -> list[Line]:
    """Put notes and error at the end of the line, or below it where the line has no room for them."""
    lines = [line]
    for note in _translated([*row.notes, row.error] if row.error else row.notes, characters):
        longer = [*lines[-1], Part(_GAP), note]
        if width is None or _width_of(longer) <= width:
            lines[-1] = longer
            continue
        guides = characters(row.guides_below)
        texts = wrapped(note.text, max(_NARROWEST_REMARK, width - len(guides)))
        if len(texts) > _MOST_REMARK_LINES:
            texts = [*texts[: _MOST_REMARK_LINES - 1], f"{texts[_MOST_REMARK_LINES - 1]}{characters('…')}"]
        lines.extend([Part(guides, "dim"), Part(text, note.style)] for text in texts)
    return [_cut(_without_blanks_at_end(each), width, characters) for each in lines]


def _without_blanks_at_end(line: Line) -> Line:
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    return [*kept[:-1], Part(kept[-1].text.rstrip(), kept[-1].style)] if kept else kept


def _fitted(rows: list[Row], width: int) -> list[Row]:
    """Return the rows with guides that leave names a place, deep down in the tree too; all keep their level."""
    room = max(width // _SHARE_OF_GUIDES, _NARROWEST_GUIDES)
    for columns in (3, 2, 1):
        fitted = [
            replace(row, guides=narrowed(row.guides, columns), guides_below=narrowed(row.guides_below, columns))
            for row in rows
        ]
        if max(len(row.guides) for row in fitted) <= room:
            return fitted
    # Deeper than there are columns: the outer levels, which are the same for many rows in a row, are left out.
    return [replace(row, guides=row.guides[-room:], guides_below=row.guides_below[-room:]) for row in fitted]


def _flow(parts: list[Part], characters: Characters, width: int | None) -> list[Line]:
    """Put the parts side by side; where the width is used up, go on in the next line."""
    between, indent = Part(characters(" · "), "dim"), Part(_GAP)
    lines: list[Line] = []
    for part in _translated(parts, characters):
        longer = [*lines[-1], between, part] if lines else [part]
        if lines and (width is None or _width_of(longer) <= width):
            lines[-1] = longer
        else:
            lines.append([indent, part] if lines else [part])
    return lines


def _translated(parts: Iterable[Part], characters: Characters) -> Line:
    return [Part(characters(part.text), part.style) for part in parts]


def _cut(line: Line, width: int | None, characters: Characters) -> Line:
    """Return the line cut at ``width``, with an ellipsis if something was cut."""
    if width is None or _width_of(line) <= width:
        return line
    ellipsis = characters("…")
    room = width - len(ellipsis)
    kept: Line = []
    for part in line:
        text = cut(part.text, room)
        kept.append(Part(text, part.style))
        room -= columns_of(text)
        if text != part.text:
            break
    return [*kept, Part(ellipsis, "dim")]


def _width_of(line: Line) -> int:
    return sum(columns_of(part.text) for part in line)
