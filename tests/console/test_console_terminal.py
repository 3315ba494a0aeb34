"""The dspy_console exporter in a terminal, with rich and without it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import pytest
from console_spans import Recorded, cached_chat, chat, printed, span, tracer_for, usage
from rich.cells import cell_len
from rich.console import Console

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

pty = pytest.importorskip("pty", reason="needs pseudo-terminals")

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
ERROR = ("ValueError", "order 7 was already refunded on the last day of October")


def small_tree() -> Recorded:
    return span(
        "invoke_workflow SupportDesk",
        chat(500, (1_000, 10), 0.001),
        cached_chat(saved_cost=0.001),
        span("execute_tool refund", milliseconds=2, error=ERROR, gen_ai__operation__name="execute_tool"),
        gen_ai__operation__name="invoke_workflow",
        **usage(2, 1_000, 10, 0.001),
    )


def in_console(recorded: Recorded, width: int = 160) -> str:
    """Return what goes to a rich console that takes the stream for a terminal of eight colours."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=width, legacy_windows=False)
    recorded.record(tracer_for(DSPyConsoleSpanExporter(console=console)))
    return out.getvalue()


def in_terminal(recorded: Recorded) -> str:
    """Return what the exporter prints into a real pseudo-terminal."""
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as reader, open(theirs, "w", encoding="utf-8") as out:
        recorded.record(tracer_for(DSPyConsoleSpanExporter(out=out)))
        return reader.read(65_536).decode().replace("\r\n", "\n")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment as it is in a terminal of 160 columns, whatever the tests run in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")


def test_a_terminal_shows_the_same_tree() -> None:
    lines = ESCAPE.sub("", in_console(small_tree())).splitlines()
    assert lines == printed(small_tree()).splitlines()


def test_errors_are_red_costs_yellow_cache_hits_green_and_sums_dim() -> None:
    root, call, cached, tool, *_ = in_console(small_tree()).splitlines()
    assert root.startswith("\x1b[1minvoke_workflow SupportDesk\x1b[0m")
    assert "\x1b[2m  Σ 2 calls\x1b[0m\x1b[2m  1,000 → 10\x1b[0m\x1b[2m  $0.00100\x1b[0m" in root
    assert call.startswith("\x1b[2m├─ \x1b[0m\x1b[36mchat gpt-5-mini\x1b[0m")
    assert call.endswith("  1,000 → 10\x1b[33m  $0.00100\x1b[0m")
    assert cached.endswith("\x1b[32mcached, saved $0.00100\x1b[0m")
    assert tool.startswith("\x1b[2m└─ \x1b[0m\x1b[31mexecute_tool refund\x1b[0m")
    assert tool.endswith(f"\x1b[31m✗ ValueError (survived): {ERROR[1]}\x1b[0m")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    deep = small_tree()
    for _ in range(30):
        deep = span("Predict 質問, context -> answer", deep, dspy__module__path="first.predict")
    lines = ESCAPE.sub("", in_console(deep, width=width)).splitlines()
    assert [line for line in lines if cell_len(line) > max(width, len("  trace ") + 32)] == []
    tree = [line for line in lines if "─" in line]
    assert [line for line in tree if cell_len(line) > width] == []


def test_in_a_narrow_terminal_names_are_cut_and_remarks_go_below_their_line() -> None:
    assert ESCAPE.sub("", in_console(small_tree(), width=60)).splitlines() == [
        "invoke_workflow Support…   502 ms  Σ 2  1,000 → 10  $0.00100",
        "│  1 cached, saved $0.00100",
        "├─ chat gpt-5-mini         500 ms       1,000 → 10  $0.00100",
        "├─ chat gpt-5-mini         300 µs",
        "│     cached, saved $0.00100",
        "└─ execute_tool refund    2.00 ms",
        "      ✗ ValueError (survived): order 7 was already refunded",
        "      on the last day of October",
        "total · 2 LM calls · 1,000 → 10 tokens · $0.00100",
        "  1 cache hit, saved $0.00100 · 1 survived error · 502 ms",
        "  trace 00000000000000000000000000000001",
        "",
    ]


@pytest.mark.usefixtures("terminal")
def test_a_real_terminal_gets_colours() -> None:
    text = in_terminal(small_tree())
    assert "\x1b[31m✗ ValueError" in text
    assert ESCAPE.sub("", text).splitlines() == printed(small_tree()).splitlines()


@pytest.mark.usefixtures("terminal")
def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = in_terminal(small_tree())
    assert "✗ ValueError" in text
    assert set(ESCAPE.findall(text)) <= {"\x1b[1m", "\x1b[2m", "\x1b[0m"}


@pytest.mark.usefixtures("terminal")
def test_a_pipe_gets_colours_if_they_are_forced_and_lines_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    out = io.StringIO()
    small_tree().record(tracer_for(DSPyConsoleSpanExporter(out=out)))
    monkeypatch.delenv("FORCE_COLOR")
    assert "\x1b[31m✗ ValueError" in out.getvalue()
    lines = ESCAPE.sub("", out.getvalue()).splitlines()
    assert lines == printed(small_tree()).splitlines()


WITHOUT_RICH = """
import sys

sys.modules["rich"] = sys.modules["rich.console"] = sys.modules["rich.text"] = None

from console_spans import chat, tracer_for
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

chat(500, (1_000, 10), 0.001).record(tracer_for(DSPyConsoleSpanExporter()))
"""


def test_without_rich_a_terminal_gets_plain_text() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__), "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
    with open(ours, "rb", buffering=0) as reader, open(theirs, "wb", buffering=0) as writer:
        subprocess.run([sys.executable, "-c", WITHOUT_RICH], env=environment, stdout=writer, timeout=110, check=True)
        text = reader.read(65_536).decode()
    assert text.splitlines() == [
        "chat gpt-5-mini  500 ms  1,000 → 10  $0.00100",
        "total · 1 LM call · 1,000 → 10 tokens · $0.00100 · 500 ms",
        "  trace 00000000000000000000000000000001",
        "",
    ]
