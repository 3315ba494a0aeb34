"""What a terminal's width holds of the line for running calls: whole figures, and names as far as they go."""

from __future__ import annotations

import os
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import set_span_in_context
from terminal import Terminal

from opentelemetry.instrumentation.dspy.console.characters import characters_for
from opentelemetry.instrumentation.dspy.console.columns import columns_of
from opentelemetry.instrumentation.dspy.console.running import RunningCalls
from opentelemetry.instrumentation.dspy.console.status_line import StatusLine
from opentelemetry.instrumentation.dspy.console.status_parts import fitted

CALL = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.cost.amount": 0.00163}


def running(outer: str, inner: str, examples: int = 0, lm_calls: int = 0, beside: int = 0) -> RunningCalls:
    """Return the calls that run once so many spans of a real tracer have begun and ended."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    calls = RunningCalls()
    root = tracer.start_span(outer)
    calls.begin(root)
    context = set_span_in_context(root)
    ended = [tracer.start_span("evaluate_example", context) for _ in range(examples)]
    ended += [tracer.start_span("chat", context, attributes=CALL) for _ in range(lm_calls)]
    for span in ended:
        calls.begin(span)
        span.end()
        calls.end(span)
    calls.begin(tracer.start_span(inner, context))
    for _ in range(beside):
        calls.begin(tracer.start_span("another"))
    return calls


def line(calls: RunningCalls, width: int, encoding: str = "utf-8") -> str:
    return "".join(part.text for part in fitted(calls.parts(), width, characters_for(encoding)))


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (120, "evaluate answered_well 0 s · chat gpt-4o-mini 0 s · 6 examples done · 24 LM calls · $0.0391"),
        (90, "evaluate answered_well 0 s · chat gpt-4o-mi… 0 s · 6 examples done · 24 LM calls · $0.0391"),
        (82, "evaluate answere… 0 s · chat gpt-4o… 0 s · 6 examples done · 24 LM calls · $0.0391"),
        (79, "evaluate answered_well 0 s · 6 examples done · 24 LM calls · $0.0391"),
        (64, "evaluate answered… 0 s · 6 examples done · 24 LM calls · $0.0391"),
        (60, "evaluate answered_well 0 s · 6 examples done · $0.0391"),
        (46, "evaluate answered_well 0 s · $0.0391"),
        (31, "evaluate answere… 0 s · $0.0391"),
        (26, "evaluate answered_well 0 s"),
        (10, "evaluate…"),
    ],
)
def test_names_become_shorter_and_then_whole_parts_go(width: int, shown: str) -> None:
    assert line(running("evaluate answered_well", "chat gpt-4o-mini", examples=6, lm_calls=24), width) == shown


def test_the_calls_beside_it_go_before_its_own_figures() -> None:
    calls = running("invoke_workflow Asker", "chat gpt-4o-mini", lm_calls=1, beside=2)
    whole = "invoke_workflow Asker 0 s · chat gpt-4o-mini 0 s · 1 LM call · $0.00163 · 2 calls beside it"
    assert line(calls, len(whole)) == whole
    assert line(calls, 70) == "invoke_workflow Asker 0 s · 1 LM call · $0.00163 · 2 calls beside it"
    assert line(calls, 50) == "invoke_workflow Asker 0 s · 1 LM call · $0.00163"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    "outer", ["evaluate answered_well", "評価する 回答が正しいかどうか", "optimize 🧑‍🚀🧑‍🚀🧑‍🚀🧑‍🚀"]
)
def test_no_figure_is_cut_at_any_width_and_no_line_is_too_long(outer: str, encoding: str) -> None:
    calls = running(outer, "chat gpt-4o-mini", examples=6, lm_calls=24, beside=3)
    between = characters_for(encoding)(" · ")
    figures = {"6 examples done", "24 LM calls", "$0.0391", "3 calls beside it"}
    for width in range(1, 161):
        text = line(calls, width, encoding)
        assert columns_of(text) <= width
        first, *others = text.split(between)
        assert first.endswith(" 0 s") or not others
        assert {other for other in others if not other.endswith(" 0 s")} <= figures
        if others:
            assert "$0.0391" in others


def test_a_terminal_of_few_characters_gets_the_line_in_those(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TERM", "xterm"), ("NO_COLOR", "1"), ("COLUMNS", "40"), ("LINES", "24")):
        monkeypatch.setenv(name, value)
    parts = running("evaluate answered_well", "chat gpt-4o-mini", lm_calls=24).parts()
    with Terminal() as terminal:
        stream: Any = open(os.dup(terminal._theirs), "w", encoding="latin-1", buffering=1)  # noqa: SIM115
        with stream:
            status = StatusLine()
            status.draw(stream, parts)
            terminal.until(lambda screen: bool(screen.lines) and "$" in screen.lines[-1])
            assert terminal.screen.lines[-1] == "evaluate answered_well 0 s - $0.0391"
            status.close()
