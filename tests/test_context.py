"""What travels with a running call: to what it calls, in the same thread or task, and no further."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from dataclasses import fields
from typing import TYPE_CHECKING

import dspy

from opentelemetry import baggage
from opentelemetry import context as context_api
from opentelemetry.instrumentation.dspy.context import (
    NO_CALL,
    ActiveCall,
    attach,
    current_call,
    detach,
    with_call,
)
from opentelemetry.instrumentation.dspy.programs.running_modules import RunningModule
from opentelemetry.instrumentation.dspy.usage import UsageScope

if TYPE_CHECKING:
    import pytest


def a_call(**values: object) -> ActiveCall:
    return ActiveCall(instance=object(), owner=dspy.Module, attribute="__call__", **values)  # type: ignore[arg-type]


def test_outside_of_any_call_the_record_is_empty() -> None:
    assert current_call() is NO_CALL
    assert ActiveCall() == NO_CALL


def test_a_call_is_the_current_one_until_it_is_detached() -> None:
    outer, inner = a_call(), a_call()
    outer_token = attach(with_call(outer))
    inner_token = attach(with_call(inner))
    assert current_call() is inner
    detach(inner_token)
    assert current_call() is outer
    detach(outer_token)
    assert current_call() is NO_CALL


def test_a_call_inside_has_its_own_identity_and_inherits_the_rest() -> None:
    outer = a_call(
        scope=UsageScope(), conversation_id="c-42", attributes={"user.id": "u-7"}, adapter_name="ChatAdapter"
    )
    instance = object()
    inner = outer.child(instance, dspy.Predict, "acall")
    assert (inner.instance, inner.owner, inner.attribute) == (instance, dspy.Predict, "acall")
    assert inner.scope is outer.scope
    assert (inner.conversation_id, inner.attributes, inner.adapter_name) == ("c-42", {"user.id": "u-7"}, "ChatAdapter")


def test_what_a_call_sets_for_itself_does_not_reach_the_one_around_it() -> None:
    outer = a_call(adapter_name="ChatAdapter")
    inner = outer.child(object(), dspy.Predict, "__call__")
    inner.adapter_name = "JSONAdapter"
    inner.scope = UsageScope(outer.scope)
    assert (outer.adapter_name, outer.scope) == ("ChatAdapter", None)


def test_every_field_of_a_call_that_is_not_its_own_is_inherited() -> None:
    own = {
        "instance",
        "owner",
        "attribute",
        "adapter_call",
        "straggler",
        "embedding",
        "retrieval",
        "tool_call_id",
        "around",
        "asks_server",
        "given",
        "steps",
        "known",
        "span_name",
    }
    marks = {part.name: object() for part in fields(ActiveCall)}
    inner = ActiveCall(**marks).child(None, None, "")  # type: ignore[arg-type]
    inherited = {name for name, mark in marks.items() if getattr(inner, name) is mark}
    assert inherited == set(marks) - own


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
    seen: list[ActiveCall] = []

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
    outer = RunningModule(program, None, {})
    inner = RunningModule(program.steps[0], outer, {})
    assert inner.outermost is outer
    assert outer.outermost is outer
    assert inner.path == "steps[0]"
    program.steps.clear()
    assert inner.path == "steps[0]"
