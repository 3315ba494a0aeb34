"""What a person sees of what was written to a terminal: the sequences that are used here, and no others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Screen"]

_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b([78D])|([\r\n\x08\x07])|([^\x1b\r\n\x08\x07]+)|(.)", re.DOTALL)


@dataclass(slots=True)
class Screen:
    """Rows of characters, the oldest first; those that scrolled out at the top are kept."""

    columns: int = 80
    height: int = 24
    row: int = 0
    column: int = 0
    rows: list[list[str]] = field(default_factory=lambda: [[]])
    _saved: tuple[int, int] = (0, 0)
    _rest: str = ""

    def write(self, text: str) -> None:
        """Take what is written; half a sequence at its end waits for the rest."""
        text = self._rest + text
        cut = re.search(r"\x1b(\[[0-9;?]*)?\Z", text)
        text, self._rest = (text[: cut.start()], text[cut.start() :]) if cut else (text, "")
        for numbers, letter, other, control, printable, unknown in _TOKEN.findall(text):
            if unknown:
                raise AssertionError(f"the terminal does not know {unknown!r}")
            if printable:
                for character in printable:
                    self._put(character)
            elif control:
                self._control(control)
            else:
                self._sequence(letter or other, numbers)

    @property
    def lines(self) -> list[str]:
        """What stands in the rows, without blanks at the end and empty rows at the bottom."""
        lines = ["".join(row).rstrip() for row in self.rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def _top(self) -> int:
        return max(0, len(self.rows) - self.height)

    def _put(self, character: str) -> None:
        if self.column >= self.columns:
            self.column = 0
            self._down()
        row = self.rows[self.row]
        row.extend(" " * (self.column + 1 - len(row)))
        row[self.column] = character
        self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])

    def _control(self, control: str) -> None:
        if control == "\r":
            self.column = 0
        elif control == "\n":
            self._down()
        elif control == "\x08":
            self.column = max(0, self.column - 1)

    def _sequence(self, letter: str, numbers: str) -> None:
        count = int(numbers) if numbers.isdecimal() else 1
        if letter == "D":
            self._down()
        elif letter == "A":
            self.row = max(self._top, self.row - count)
        elif letter == "B":
            # The cursor does not scroll; rows of the screen that were never written to are there all the same.
            last = max(len(self.rows), self.height) - 1
            self.row = min(last, self.row + count)
            self.rows.extend([] for _ in range(self.row + 1 - len(self.rows)))
        elif letter == "7":
            # Terminals keep the place on the screen, not in the text.
            self._saved = (self.row - self._top, self.column)
        elif letter == "8":
            self.row, self.column = self._saved[0] + self._top, self._saved[1]
        elif letter == "J":
            del self.rows[self.row][self.column :]
            for row in self.rows[self.row + 1 :]:
                row.clear()
        elif letter == "K":
            del self.rows[self.row][self.column if numbers in ("", "0") else 0 :]
        elif letter not in ("m", "h", "l"):
            raise AssertionError(f"the terminal does not know {letter!r}")
