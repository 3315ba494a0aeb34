"""A test of an application that uses the plugin for pytest."""

from __future__ import annotations

from typing import Any

from desk import ask


def test_a_question_is_one_call(dspy_telemetry: Any) -> None:
    """The fixture is there because the wheel is installed."""
    assert ask().answer == "here"
    dspy_telemetry.assert_at_most(lm_calls=1)
    assert "invoke_workflow Desk" in dspy_telemetry.tree()
