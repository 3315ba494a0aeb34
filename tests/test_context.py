"""What travels with a running call: to what it calls, in the same thread or task, and no further."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from typing import TYPE_CHECKING

import dspy

from opentelemetry import baggage
from opentelemetry import context as context_api
from opentelemetry.instrumentation.dspy.blocks import ATTRIBUTES, CONVERSATION_ID, Block
from opentelemetry.instrumentation.dspy.context import (
    NO_CALL,
    Call,
    attach,
    current_call,
    detach,
    with_call,
)
from opentelemetry.instrumentation.dspy.programs.running_modules import RunningModule
from opentelemetry.instrumentation.dspy.slots import OwnSlot, Slot
from opentelemetry.instrumentation.dspy.usage import SCOPE, UsageScope

if TYPE_CHECKING:
    import pytest


NAME = Slot[str]("name")
KIND = OwnSlot[str]("kind")


def a_call() -> Call:
    return Call(object(), dspy.Module, "__call__", (), {}, NO_CALL)


def test_outside_of_any_call_the_record_is_empty() -> None:
    assert current_call() is NO_CALL
    assert (NO_CALL.instance, NO_CALL.caller, SCOPE.of(NO_CALL)) == (None, None, None)


def test_a_call_is_the_current_one_until_it_is_detached() -> None:
    outer, inner = a_call(), a_call()
    outer_token = attach(with_call(outer))
    inner_token = attach(with_call(inner))
    assert current_call() is inner
    detach(inner_token)
    assert current_call() is outer
    detach(outer_token)
    assert current_call() is NO_CALL


def test_a_part_of_a_call_has_its_own_identity_and_inherits_what_is_kept() -> None:
    outer = a_call()
    NAME.put(outer, "first")
    KIND.put(outer, "adapter")
    instance = object()
    inner = outer.part(instance, dspy.Predict, "acall", (1, 2))
    assert (inner.instance, inner.owner, inner.attribute) == (instance, dspy.Predict, "acall")
    assert inner.given == ((1, 2), {})
    assert inner.caller is outer
    assert (NAME.of(inner), KIND.of(inner)) == ("first", None)


def test_what_a_call_keeps_for_itself_does_not_reach_the_one_around_it() -> None:
    outer = a_call()
    NAME.put(outer, "first")
    inner = outer.part(object(), dspy.Predict, "__call__")
    NAME.put(inner, "second")
    KIND.put(inner, "adapter")
    assert (NAME.of(outer), KIND.of(outer)) == ("first", None)
    assert (NAME.of(inner), KIND.of(inner)) == ("second", "adapter")


def test_the_calls_around_a_call_end_with_the_outermost() -> None:
    outer = a_call()
    inner = outer.part()
    assert [*inner.outwards()] == [inner, outer]
    assert [*NO_CALL.outwards()] == []


def test_a_call_in_a_block_shares_what_is_its_own_with_the_call_itself() -> None:
    call = a_call()
    inside = call.with_block(Block(UsageScope(), "c-42", {"user.id": "u-7"}, None))
    KIND.put(inside, "adapter")
    assert KIND.of(call) == "adapter"
    assert (CONVERSATION_ID.of(inside), ATTRIBUTES.of(inside)) == ("c-42", {"user.id": "u-7"})
    assert (CONVERSATION_ID.of(call), SCOPE.of(call)) == (None, None)


def test_other_values_of_the_context_stay() -> None:
    token = context_api.attach(baggage.set_baggage("tenant", "t-1"))
    call_token = attach(with_call(a_call()))
    assert baggage.get_baggage("tenant") == "t-1"
    detach(call_token)
    context_api.detach(token)


def test_detaching_in_another_context_is_quiet_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    token = copy_context().run(lambda: attach(with_call(a_call())))
    call = a_call()
    own_token = attach(with_call(call))
    detach(token)
    assert current_call() is call
    detach(own_token)
    assert caplog.records == []


def test_a_plain_thread_starts_without_a_call_and_a_task_with_the_one_it_was_started_in() -> None:
    call = a_call()
    token = attach(with_call(call))
    seen: list[Call] = []

    async def look() -> None:
        seen.append(current_call())

    async def start_a_task() -> None:
        await asyncio.create_task(look())

    thread = threading.Thread(target=lambda: seen.append(current_call()))
    thread.start()
    thread.join()
    asyncio.run(start_a_task())
    detach(token)
    assert seen == [NO_CALL, call]


def test_a_running_module_knows_the_outermost_one_and_looks_for_its_path_once() -> None:
    class Program(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = [dspy.Predict("question -> answer")]

    program = Program()
    outer = RunningModule.of(program, None, {})
    inner = RunningModule.of(program.steps[0], outer, {})
    assert inner.outermost is outer
    assert outer.outermost is outer
    assert inner.path == "steps[0]"
    program.steps.clear()
    assert inner.path == "steps[0]"
