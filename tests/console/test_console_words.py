"""The words of a span's line: durations, amounts, scores, and text that others wrote."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from console_spans import chat, printed, span, tracer_for

from opentelemetry.instrumentation.dspy.amounts import money_words
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter
from opentelemetry.instrumentation.dspy.console.words import duration_words


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"dspy__evaluate__score": 94.0}, "score 94"),
        ({"dspy__evaluate__example__score": 0.33333}, "score 0.3333"),
        ({"dspy__evaluate__example__score": True}, "score true"),
        ({"dspy__evaluate__failures": 3}, "3 failed"),
        ({"dspy__attempt__reward": 0.5}, "reward 0.5"),
        ({"dspy__attempts__best_reward": 1.0}, "best reward 1"),
        ({"dspy__optimizer__trial__score": 0.8, "dspy__optimizer__best_score": 0.85}, "score 0.8  best 0.85"),
        ({"dspy__agent__termination_reason": "max_iters"}, "stopped by max_iters"),
        ({"dspy__straggler": True}, "straggler, run again"),
    ],
)
def test_what_else_is_worth_a_word_stands_at_the_end_of_the_line(attributes: dict[str, Any], words: str) -> None:
    recorded = span("Predict a -> b", milliseconds=2, **attributes)
    assert printed(recorded).splitlines()[0] == f"Predict a -> b  2.00 ms  {words}"


@pytest.mark.parametrize("attribute", ["dspy__example__index", "dspy__attempt__index", "dspy__optimizer__trial"])
def test_examples_attempts_and_trials_are_numbered(attribute: str) -> None:
    attributes: dict[str, Any] = {attribute: 31}
    recorded = span("evaluate_example", milliseconds=2, **attributes)
    assert printed(recorded).splitlines()[0] == "evaluate_example #31  2.00 ms"


def test_an_agent_that_finished_needs_no_word() -> None:
    recorded = span("invoke_agent A", milliseconds=2, dspy__agent__termination_reason="finish")
    assert printed(recorded).splitlines()[0] == "invoke_agent A  2.00 ms"


def test_a_fallback_to_another_adapter_is_named() -> None:
    out = io.StringIO()
    attributes = {"dspy.module.name": "Predict"}
    with tracer_for(DSPyConsoleSpanExporter(out=out)).start_as_current_span(
        "Predict a -> b", attributes=attributes
    ) as predict:
        predict.add_event(
            "dspy.adapter.fallback", {"dspy.adapter.from": "ChatAdapter", "dspy.adapter.to": "JSONAdapter"}
        )
    assert out.getvalue().splitlines()[0].endswith("  fell back to JSONAdapter")


def test_names_and_messages_cannot_move_the_cursor_or_break_the_tree() -> None:
    error = ("ValueError", "first line\n\x1b[2Jsecond\tline")
    line = printed(span("Predict a\r\n-> b", milliseconds=1, error=error, dspy__module__name="P")).splitlines()[0]
    assert line == "Predict a -> b  1.00 ms  ✗ ValueError: first line [2Jsecond line"


def test_a_long_message_is_cut() -> None:
    line = printed(chat(1, error=("ValueError", "x" * 5_000))).splitlines()[0]
    assert line == f"chat gpt-5-mini  1.00 ms  ✗ ValueError: {'x' * 399}…"


@pytest.mark.parametrize(
    ("nanoseconds", "words"),
    [
        (0, "0 µs"),
        (850_400, "850 µs"),
        (999_600, "1.00 ms"),
        (12_340_000, "12.3 ms"),
        (999_600_000, "1.00 s"),
        (59_940_000_000, "59.9 s"),
        (59_990_000_000, "1m 00s"),
        (125_000_000_000, "2m 05s"),
        (3_725_000_000_000, "1h 02m"),
    ],
)
def test_durations_are_in_the_unit_that_suits_them(nanoseconds: int, words: str) -> None:
    assert duration_words(nanoseconds) == words


@pytest.mark.parametrize(
    ("dollars", "words"),
    [
        (0, "$0.00"),
        (0.000123, "$0.000123"),
        (0.0312, "$0.0312"),
        (0.0099999, "$0.0100"),
        (12.345, "$12.35"),
        (1204.5, "$1,204.50"),
        (0.0000000004, "<$0.000000001"),
        (math.inf, "$inf"),
    ],
)
def test_amounts_keep_three_significant_digits(dollars: float, words: str) -> None:
    assert money_words(dollars) == words
