"""A tree in a narrow terminal: every row in its place, no line too long, and no bar of a progress in between."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from console_spans import Recorded, chat, span, tracer_for
from rich.cells import cell_len
from rich.console import Console
from tqdm import tqdm

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter
from opentelemetry.instrumentation.dspy.console.columns import clusters, columns_of, cut, ending, narrowed, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
needs_rich_that_joins = pytest.mark.skipif(
    cell_len("🧑‍🚀") != 2, reason="this rich counts the characters that a picture is joined from"
)
NAMES = {
    "plain": "invoke_workflow Level",
    "wide": "invoke_workflow 長い名前のモジュール",
    "emoji": "execute_tool 🚀 launch",
    "joined": "execute_tool 🧑‍🚀 👩🏽‍💻 ❤️ 🏳️‍🌈 launch",
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


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_rich_that_joins) if name == "joined" else name for name in NAMES]
)
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


EMOJI = "🧑‍🚀 👨‍👩‍👧‍👦 ❤️ ❤ 👍🏽 🇩🇪 1️⃣ \u2139\ufe0f ©️ 🏳️‍🌈 🧑‍❤️‍🧑 🙂‍↔️ 👩🏽‍💻 ☂️"


@pytest.mark.parametrize("text", [*EMOJI.split(), "한국", "\u1112\u1161\u11ab", "cafe\u0301", "می‌خواهم"])
def test_a_picture_of_several_characters_takes_the_columns_of_one(text: str) -> None:
    assert columns_of(text) == {"❤": 1, "한국": 4, "cafe\u0301": 4, "می‌خواهم": 7}.get(text, 2)
    assert len(list(clusters(EMOJI))) == len(EMOJI.split()) * 2 - 1


def test_a_text_is_never_cut_inside_of_a_picture() -> None:
    whole = set(EMOJI.split())
    for width in range(1, 60):
        kept = cut(EMOJI, width)
        assert columns_of(kept) <= width
        assert set(kept.split()) <= whole
    pieces = wrapped(EMOJI.replace(" ", ""), 2)
    assert set(pieces) - {"❤"} == whole - {"❤"}


@needs_rich_that_joins
def test_figures_stand_in_one_column_beside_names_with_emoji() -> None:
    names = ["plain", "❤️", "🧑‍🚀 launch", "👍🏽", "🇩🇪", "1️⃣"]
    tree = span("Parallel", *(span(f"execute_tool {name}", milliseconds=1) for name in names), dspy__x=1)
    figures = [line.partition("1.00 ms")[0] for line in in_terminal(tree, 80) if "1.00 ms" in line]
    assert len(figures) == len(names)
    assert len({cell_len(before) for before in figures}) == 1


def test_the_end_of_a_text_has_as_many_words_as_there_is_room_for() -> None:
    assert ending("where is the Nile", 8) == "the Nile"
    assert ending("where is the Nile", 11) == "is the Nile"
    assert ending("where", 3) == "ere"
    assert ending("何も見つかりません", 5) == "せん"
    assert ending("", 5) == ""


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


FILE_PROGRAM = """
import sys

from console_spans import chat, tracer_for
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter
from tqdm import tqdm

with tqdm(total=3, mininterval=0, ascii=True, ncols=60) as bar:
    bar.update(1)
    chat(5, (100, 10), 0.001).record(tracer_for(DSPyConsoleSpanExporter()))
"""


def test_in_a_file_a_tree_begins_in_a_line_of_its_own_though_the_bar_stays(tmp_path: Path) -> None:
    target = tmp_path / "output"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path]),
        "PYTHONIOENCODING": "utf-8",
    }
    with target.open("wb") as out:
        subprocess.run(
            [sys.executable, "-c", FILE_PROGRAM], env=environment, stdout=out, stderr=out, timeout=110, check=True
        )
    # Whoever reads a file sees no bar go: only line ends separate.
    lines = target.read_bytes().decode().split("\n")
    assert "chat gpt-5-mini  5.00 ms  100 → 10  $0.00100" in lines
