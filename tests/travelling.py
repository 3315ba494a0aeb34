"""A user's module of classes that are copied, pickled and saved, by name and by value."""

from __future__ import annotations

from typing import Any

import dspy

__all__ = ["Answering", "CountingLM", "Reviewing", "shout"]


class Reviewing(dspy.Signature):
    """Review the text."""

    text: str = dspy.InputField()
    review: str = dspy.OutputField()


class Answering(dspy.Module):
    """A program that overrides everything that is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.review = dspy.Predict(Reviewing)
        self.steps = [dspy.Predict(Reviewing)]

    def __call__(self, *values: Any, **options: Any) -> Any:
        return super().__call__(*values, **options)

    async def acall(self, *values: Any, **options: Any) -> Any:
        return await super().acall(*values, **options)

    def forward(self, text: str) -> str:
        return shout(text)

    async def aforward(self, text: str) -> str:
        return shout(text)


class CountingLM(dspy.LM):
    """A language model of the application, which overrides what is recorded."""

    def __call__(self, *values: Any, **options: Any) -> Any:
        return super().__call__(*values, **options)


def shout(text: str) -> str:
    """Return the text in capitals."""
    return text.upper()
