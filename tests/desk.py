"""A small program for tests of what runs programs many times over, and pictures of its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dspy

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["DESK", "Desk", "below", "examples", "is_answered", "traces"]


class Desk(dspy.Module):
    """Answers a question with one call of the language model."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=question)

    async def aforward(self, question: str) -> dspy.Prediction:
        return await self.answer.acall(question=question)


DESK = """\
invoke_workflow Desk
  Predict answer
    chat gpt-4o-mini"""
"""The picture of one call."""


def below(name: str, *trees: str) -> str:
    """A picture of trees below a span."""
    lines = [line for tree in trees for line in tree.splitlines()]
    return "\n".join([name, *(f"  {line}" for line in lines)])


def examples(*questions: str) -> list[dspy.Example]:
    """Examples with these questions."""
    return [dspy.Example(question=question).with_inputs("question") for question in questions]


def is_answered(example: dspy.Example, prediction: dspy.Prediction, trace: object = None) -> bool:
    """A metric that every answer meets."""
    return bool(prediction.answer)


def traces(spans: list[ReadableSpan]) -> set[int]:
    """The traces that spans belong to."""
    return {span.context.trace_id for span in spans}
