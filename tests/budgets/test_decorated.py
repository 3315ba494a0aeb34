"""A block that decorates a function: its bounds hold for each call of it, whatever kind of function it is."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import dspy
import pytest
from stopped import QUESTIONS, ask

from opentelemetry.instrumentation.dspy import BudgetExceededError, telemetry_context, usage_scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from model_server import ModelServer
    from recorded import Recorded

PROGRAM = dspy.Predict("question -> answer")


def test_each_call_of_a_function_has_bounds_of_its_own(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    @usage_scope(max_calls=2)
    def ask_many() -> None:
        """Ask."""
        ask(PROGRAM)

    for sent in (2, 4):
        with pytest.raises(BudgetExceededError):
            ask_many()
        assert len(model_server.requests) == sent
    assert ask_many.__doc__ == "Ask."


def test_a_coroutine_function_runs_inside(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    @usage_scope(max_calls=2)
    async def ask_many(program: dspy.Predict) -> None:
        for question in QUESTIONS:
            await program.acall(question=question)

    class Asking:
        async def __call__(self, program: dspy.Predict) -> None:
            await program.acall(question="Where?")
            await program.acall(question="When?")

    assert inspect.iscoroutinefunction(ask_many)
    with pytest.raises(BudgetExceededError):
        asyncio.run(ask_many(PROGRAM))
    assert len(model_server.requests) == 2
    with pytest.raises(BudgetExceededError):
        asyncio.run(usage_scope(max_calls=1)(Asking())(PROGRAM))
    assert len(model_server.requests) == 3


def test_two_calls_at_the_same_time_do_not_meet(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    @usage_scope(max_calls=1)
    async def ask_one(question: str) -> str:
        return (await PROGRAM.acall(question=question)).answer  # type: ignore[no-any-return]

    async def ask_both() -> list[str]:
        return await asyncio.gather(ask_one("Where?"), ask_one("When?"))

    assert len(asyncio.run(ask_both())) == len(model_server.requests) == 2


def test_other_blocks_hold_for_coroutine_functions_too(telemetry: Recorded, lm: dspy.LM) -> None:
    @telemetry_context(conversation_id="c-1")
    async def ask_one() -> None:
        await PROGRAM.acall(question="Where?")

    asyncio.run(ask_one())
    assert telemetry.attributes("chat gpt-4o-mini")["gen_ai.conversation.id"] == "c-1"


def test_a_generator_is_refused() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def later_numbers() -> AsyncIterator[int]:
        yield 1

    for generator in (numbers, later_numbers):
        with pytest.raises(TypeError, match=r"^usage_scope cannot decorate a generator"):
            usage_scope(max_calls=1)(generator)
