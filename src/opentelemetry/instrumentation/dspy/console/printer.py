"""Where pieces of traces are printed, and how: a terminal, a file, or the cells of a notebook."""

from __future__ import annotations

import shutil
import sys
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, Final, TextIO

from .cells import CELLS
from .characters import characters_for
from .lines import lines_of, remark, side_by_side
from .markup import html_of
from .missing import carries_content, missing_words, tell_of_hidden_content, tell_of_late_content
from .notebook import shell_of_notebook, show_below
from .outputs import is_terminal, tell_of_plain_terminal
from .progress_bars import beside_progress_bars
from .runs import trial_words
from .tree import context_of

try:
    from rich.console import Console
    from rich.text import Text
except ImportError:  # The extra `console` is not installed: plain text, in a terminal too.
    _HAS_RICH = False
else:
    _HAS_RICH = True

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from .characters import Characters
    from .folds import View
    from .lines import Line
    from .notebook import Cell
    from .pending import Piece

__all__ = ["Printer"]

_NOTEBOOK_COLUMNS: Final = 110
_MOST_SHOWN: Final = 1_000


class Printer:
    """Prints pieces of traces to a stream, or below the cells of a notebook. Not thread-safe."""

    def __init__(self, out: TextIO | None, console: Console | None, view: View, *, may_hide_content: bool) -> None:
        self._out = out
        self._console = console
        self._view = view
        self._may_hide_content = may_hide_content
        """Whether nobody decided that content that is there is not shown."""
        self._told_of_content = not view.content

    @property
    def stream(self) -> Any:
        """Where to print, as it is now."""
        if self._console is not None:
            return self._console.file
        return self._out if self._out is not None else sys.stdout

    @property
    def is_in_notebook(self) -> bool:
        """Whether a notebook shows what is printed."""
        return self._out is None and self._console is None and shell_of_notebook() is not None

    def print(self, pieces: list[Piece], trials: list[ReadableSpan]) -> None:
        """Print the trials of optimizer runs and pieces of traces."""
        if self.is_in_notebook:
            self._show(pieces, trials)
        else:
            self._write(pieces, trials, self._view)

    def print_again(self, pieces: list[Piece], *, content: bool | None) -> None:
        """Print pieces that were printed before, in a notebook below the cell that runs now."""
        view = self._view if content is None else replace(self._view, content=content)
        if self.is_in_notebook:
            for piece in pieces:
                _show_lines(None, self._lines_of(piece, characters_for("utf-8"), _NOTEBOOK_COLUMNS, view))
        else:
            self._write(pieces, [], view)

    def _show(self, pieces: list[Piece], trials: list[ReadableSpan]) -> None:
        characters, width = characters_for("utf-8"), _NOTEBOOK_COLUMNS
        for trial in trials:
            context = context_of(trial)
            if _SHOWN.is_new((context.trace_id, context.span_id, "trial")):
                lines = side_by_side(trial_words(trial), characters=characters, width=width)
                _show_lines(CELLS.of(context.trace_id), lines)
        for piece in pieces:
            roots = tuple(context_of(node.span).span_id for node in piece.roots)
            if _SHOWN.is_new((piece.trace_id, *roots)):
                _show_lines(CELLS.of(piece.trace_id), self._lines_of(piece, characters, width, self._view))

    def _write(self, pieces: list[Piece], trials: list[ReadableSpan], view: View) -> None:
        console = self._console
        stream: IO[str] = self.stream
        width: int | None
        if console is not None:
            width = console.width
        else:
            width = shutil.get_terminal_size().columns if is_terminal(stream) else None
            console = Console(file=stream) if _HAS_RICH else None
            if console is None and width is not None:
                tell_of_plain_terminal()
        characters = characters_for(getattr(stream, "encoding", None) or "utf-8")
        lines: list[Line] = []
        for trial in trials:
            lines.extend(side_by_side(trial_words(trial), characters=characters, width=width))
        for piece in pieces:
            of_piece = self._lines_of(piece, characters, width, view)
            lines.extend(of_piece)
            if len(of_piece) > 1:
                lines.append([])  # A line of air below a tree; one-line traces stand close together.
        with beside_progress_bars(stream):
            if console is not None and console.is_terminal:
                # The lines fit already; rich must neither wrap nor colour them by what it sees in them.
                text = Text("\n").join(Text.assemble(*line) for line in lines)
                console.print(text, soft_wrap=True, highlight=False)
            else:
                stream.write("".join(f"{_text_of(line)}\n" for line in lines))
            stream.flush()

    def _lines_of(self, piece: Piece, characters: Characters, width: int | None, view: View) -> list[Line]:
        lines = lines_of(piece, characters=characters, width=width, view=view)
        if self._may_hide_content:
            tell_of_hidden_content(piece)
        if not view.content:
            tell_of_late_content(piece)
        carries = None if self._told_of_content else carries_content(piece)
        if carries is not None:
            self._told_of_content = True
            if not carries:
                lines.extend(remark(missing_words(), "yellow", characters=characters, width=width))
        return lines


class _Shown:
    """What notebooks have shown already: in a cell that ran twice, a provider gets a second exporter."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._keys: OrderedDict[tuple[object, ...], None] = OrderedDict()

    def is_new(self, key: tuple[object, ...]) -> bool:
        """Note what is shown now, and return whether it was not shown before."""
        with self._lock:
            if key in self._keys:
                return False
            self._keys[key] = None
            if len(self._keys) > _MOST_SHOWN:
                self._keys.popitem(last=False)
            return True


_SHOWN: Final = _Shown()


def _show_lines(cell: Cell | None, lines: list[Line]) -> None:
    show_below(cell, html_of(lines), "\n".join(map(_text_of, lines)))


def _text_of(line: Line) -> str:
    return "".join(part.text for part in line)
