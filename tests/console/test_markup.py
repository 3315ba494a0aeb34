"""Trees as HTML: escaped, folded where they are long, and readable on a light and on a dark ground."""

from __future__ import annotations

import re
from html import unescape

import pytest

from opentelemetry.instrumentation.dspy.console.markup import COLOURS, SHARE_OF_TEXT, html_of
from opentelemetry.instrumentation.dspy.console.words import Part

GROUNDS = {"JupyterLab, light": ("#ffffff", "#212121"), "JupyterLab, dark": ("#111111", "#ffffff")}
"""The page's ground, and its own colour of text."""
READABLE = 4.5
"""The contrast that WCAG 2.1 asks for in text, level AA."""


def text_of(html: str) -> str:
    without_style = re.sub("<style>.*</style>", "", html)
    return unescape(re.sub("<[^>]*>", "", without_style))


def test_a_line_is_its_parts_with_their_styles() -> None:
    html = html_of([[Part("chat ", "cyan"), Part("2 → 3"), Part(" $1", "bold yellow")]])
    assert '<pre><span class="cyan">chat </span>2 → 3<span class="bold yellow"> $1</span></pre>' in html


def test_names_cannot_become_markup() -> None:
    html = html_of([[Part("<script>alert('&')</script>"), Part("</pre><b>", "red")]])
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in html
    assert '<span class="red">&lt;/pre&gt;&lt;b&gt;</span>' in html


@pytest.mark.parametrize(("lines", "folds"), [(1, 0), (30, 0), (31, 1), (500, 1)])
def test_long_trees_fold_and_lose_nothing(lines: int, folds: int) -> None:
    html = html_of([[Part(f"line {number}")] for number in range(lines)])
    assert html.count("<details>") == folds
    shown = re.findall("line [0-9]+", text_of(html))
    assert shown == [f"line {number}" for number in range(lines)]
    if folds:
        first, folded, last = re.findall("<pre>(.*?)</pre>", html, flags=re.DOTALL)
        assert len(first.splitlines()) == 24
        assert last == f"line {lines - 1}"
        assert f"<summary>… {len(folded.splitlines())} more lines</summary>" in html


@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize(("ground", "text"), GROUNDS.values(), ids=GROUNDS)
def test_colours_can_be_read_on_either_ground(colour: str, ground: str, text: str) -> None:
    assert contrast(mixed(channels(text), channels(colour), SHARE_OF_TEXT / 100), channels(ground)) >= READABLE


@pytest.mark.parametrize(("ground", "text"), GROUNDS.values(), ids=GROUNDS)
def test_dim_text_can_be_read_on_either_ground(ground: str, text: str) -> None:
    [opacity] = re.findall(r"\.dim\{opacity:([.0-9]+)\}", html_of([[Part("x")]]))
    assert contrast(mixed(channels(text), channels(ground), float(opacity)), channels(ground)) >= READABLE


def channels(colour: str) -> list[float]:
    return [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]


def mixed(one: list[float], other: list[float], share: float) -> list[float]:
    return [share * a + (1 - share) * b for a, b in zip(one, other, strict=True)]


def contrast(one: list[float], other: list[float]) -> float:
    """The contrast of two colours as WCAG 2.1 defines it, from 1 to 21."""

    def luminance(colour: list[float]) -> float:
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)
