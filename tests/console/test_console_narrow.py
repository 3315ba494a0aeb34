"""A tree in a narrow terminal: every row in its place, no line too long, and no bar of a progress in between."""

from __future__ import annotations

import io
import re
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from console_spans import Recorded, chat, span, tracer_for
from rich.cells import cell_len
from rich.console import Console
from tqdm import tqdm

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter
from opentelemetry.instrumentation.dspy.console.columns import columns_of, narrowed, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NAMES = {
    "plain": "invoke_workflow Level",
    "wide": "invoke_workflow 長い名前のモジュール",
    "emoji": "execute_tool 🚀 launch",
    "combining": "execute_tool cafe\u0301",
    "control": "execute_tool a\x1b[31mb\rc\nd",
}


def nested(depth: int, name: str) -> Recorded:
    """Spans below each other, each with a sibling that failed."""
    inner = chat(5, (100, 10), 0.001) if depth == 0 else nested(depth - 1, name)
    failed = span("execute_tool look", error=("ValueError", "nothing was found, whatever was tried 何も見つかりません"))
    return span(name, inner, failed, milliseconds=3, gen_ai__operation__name="invoke_workflow")


def in_terminal(recorded: Recorded, width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=width, legacy_windows=False)
    recorded.record(tracer_for(DSPyConsoleSpanExporter(console=console)))
    return ESCAPE.sub("", out.getvalue()).splitlines()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [2, 6, 12])
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_longer_than_the_terminal(width: int, depth: int, name: str) -> None:
    lines = in_terminal(nested(depth, NAMES[name]), width)
    assert [line for line in lines if cell_len(line) > width] == []


@pytest.mark.parametrize("depth", [3, 6, 9])
@pytest.mark.parametrize("width", [40, 60, 80])
def test_every_row_stands_one_level_right_of_its_parent(width: int, depth: int) -> None:
    lines = in_terminal(nested(depth, "invoke_workflow Level"), width)
    places = [match.start() for line in lines if (match := re.search(r"[├└]", line)) and "invoke" in line]
    steps = {after - before for before, after in pairwise(places)}
    assert len(places) == depth
    assert len(steps) == 1
    assert steps <= {1, 2, 3}
    for line in lines:
        place = re.search(r"[├└]", line)
        # Left of a branch there are only the lines of the branches around it.
        assert place is None or set(line[: place.start()]) <= {"│", " "}


def test_a_text_is_broken_by_its_columns_and_none_of_it_is_lost() -> None:
    text = "one two 何も見つかりません three"
    for width in (4, 7, 12, 30):
        lines = wrapped(text, width)
        assert all(columns_of(line) <= width for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert columns_of("cafe\u0301") == 4
    assert columns_of("a\u200db") == 2


@pytest.mark.parametrize(("columns", "expected"), [(3, "│  └─ "), (2, "│ └─"), (1, "│└")])
def test_guides_take_fewer_columns_for_each_level(columns: int, expected: str) -> None:
    assert narrowed("│  └─ ", columns) == expected


@pytest.mark.parametrize("stream", [lambda: sys.stdout, lambda: sys.stderr], ids=["stdout", "stderr"])
def test_a_tree_begins_in_a_line_of_its_own_while_a_progress_bar_is_drawn(
    capsys: pytest.CaptureFixture[str], stream: Callable[[], io.TextIOBase]
) -> None:
    with tqdm(total=3, file=stream(), mininterval=0, ascii=True, ncols=60) as bar:
        bar.update(1)
        capsys.readouterr()
        nested(1, "invoke_workflow Level").record(tracer_for(DSPyConsoleSpanExporter(out=sys.stdout)))
        printed = capsys.readouterr()
    # The bar was wiped out before the tree, and is drawn again behind it.
    wiped = printed.err if stream() is sys.stderr else printed.out
    assert wiped.startswith("\r" + " " * 20)
    shown = printed.out.rpartition("\r")[0] if stream() is sys.stdout else printed.out
    assert "invoke_workflow Level" in shown
    assert all("it/s" not in line for line in shown.splitlines() if "Level" in line)
