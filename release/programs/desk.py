"""A small program of DSPy, whose model is DSPy's own dummy."""

from __future__ import annotations

from typing import Any

import dspy
from dspy.utils import DummyLM


class Desk(dspy.Module):
    """Answers questions."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        """Answer a question."""
        return self.answer(question=question)


def ask() -> Any:
    """Have a question answered."""
    with dspy.context(lm=DummyLM([{"answer": "here"}])):
        return Desk()(question="Where?")
