"""A program of three levels around a numbered model, and what is told of each of its calls: all of it, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import dspy
from numbered_calls import expected_tokens
from opentelemetry.trace import INVALID_SPAN, get_current_span

from opentelemetry.instrumentation.dspy import usage_scope
from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call

if TYPE_CHECKING:
    from recorded import Recorded

__all__ = ["Desk", "assert_all_is_told_once", "assert_the_program_is_as_ever"]

NAMES = ("invoke_workflow Desk", "Predict answer", "chat numbered")


class Desk(dspy.Module):
    """Asks a predictor."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.answer.acall(question=question)


def assert_the_program_is_as_ever(calls: range) -> None:
    """Call it in both ways, one after the other and at once; each call is counted, and nothing stays behind."""
    desk = Desk()

    async def at_once() -> list[Any]:
        return await asyncio.gather(*(desk.acall(question=f"number {number}") for number in calls))

    with usage_scope() as usage:
        answers = [desk(question=f"number {number}") for number in calls]
        answers += asyncio.run(at_once())
    assert [each.answer for each in answers] == ["here"] * 2 * len(calls)
    assert usage.lm_calls == 2 * len(calls)
    assert usage.input_tokens == 2 * sum(expected_tokens(number)[0] for number in calls)
    assert (current_call(), get_current_span()) == (NO_CALL, INVALID_SPAN)


def assert_all_is_told_once(telemetry: Recorded, calls: range) -> None:
    """Of the calls above there is one span for each, and one point of each kind, with the exact sums."""
    ids = Counter((span.attributes or {}).get("gen_ai.response.id") for span in telemetry.named("chat numbered"))
    assert ids == {f"reply-{number}": 2 for number in calls}
    assert Counter(span.name for span in telemetry.spans) == dict.fromkeys(NAMES, 2 * len(calls))
    for kind, index in (("input", 0), ("output", 1)):
        points: list[Any] = [
            point
            for point in telemetry.metric_points("gen_ai.client.token.usage")
            if (point.attributes or {})["gen_ai.token.type"] == kind
        ]
        assert sum(point.count for point in points) == 2 * len(calls)
        assert sum(point.sum for point in points) == 2 * sum(expected_tokens(number)[index] for number in calls)
    durations: list[Any] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert sum(point.count for point in durations) == 2 * len(calls)
