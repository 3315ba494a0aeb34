"""Lines of the console as HTML for notebooks, readable in dark and in light themes.

rich's HTML has the colours of a terminal with a white ground: on a dark one its blue, red and magenta cannot be read.
Here a colour is mixed with the one that the page gives to its text, so that it is darker on a light ground and lighter
on a dark one, whatever tool shows it. Where a tool leaves styles out, as for notebooks of strangers, the text remains.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from ..amounts import count_words

if TYPE_CHECKING:
    from .lines import Line

__all__ = ["COLOURS", "SHARE_OF_TEXT", "html_of"]

COLOURS: Final = {
    "red": "#e5484d",
    "yellow": "#d39e00",
    "green": "#30a46c",
    "cyan": "#00a5b5",
    "blue": "#2f81f7",
    "magenta": "#b45be0",
}
SHARE_OF_TEXT: Final = 40
"""Percent of the page's own colour of text in each colour."""

_MOST_LINES: Final = 30
_FIRST_LINES: Final = 24
"""Of a longer tree so many are shown at once, and the last one, which tells the sum."""

_CLASS: Final = "dspy-trace"
_STYLE: Final = "".join(
    [
        f".{_CLASS} pre{{margin:0;padding:0;border:0;background:none;color:inherit;white-space:pre;overflow-x:auto;"
        "font-size:.9em;line-height:1.25;"
        "font-family:Menlo,'DejaVu Sans Mono',Consolas,'Liberation Mono',monospace}",
        f".{_CLASS} summary{{cursor:pointer;font-size:.9em;opacity:.8}}",
        f".{_CLASS} .dim{{opacity:.75}}.{_CLASS} .bold{{font-weight:bold}}",
        *(
            f".{_CLASS} .{name}{{color:color-mix(in srgb,currentColor {SHARE_OF_TEXT}%,{colour})}}"
            for name, colour in COLOURS.items()
        ),
    ]
)


def html_of(lines: list[Line]) -> str:
    """Return lines as one piece of HTML; of many lines those in the middle are folded."""
    parts = [_block(lines)]
    if len(lines) > _MOST_LINES:
        folded = lines[_FIRST_LINES:-1]
        words = f"… {count_words(len(folded), 'more line')}"
        parts = [
            _block(lines[:_FIRST_LINES]),
            f"<details><summary>{words}</summary>{_block(folded)}</details>",
            _block(lines[-1:]),
        ]
    return f'<div class="{_CLASS}"><style>{_STYLE}</style>{"".join(parts)}</div>'


def _block(lines: list[Line]) -> str:
    return f"<pre>{chr(10).join(''.join(map(_span, line)) for line in lines)}</pre>"


def _span(part: tuple[str, str]) -> str:
    text, style = part
    return f'<span class="{style}">{escape(text)}</span>' if style else escape(text)
