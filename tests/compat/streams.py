"""Programs that stream, consumers that leave early, and waiting for spans that end in other threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import dspy
from model_server import Reply
from opentelemetry.sdk.trace import SpanProcessor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from model_server import ModelServer, Request
    from opentelemetry.sdk.trace import ReadableSpan
    from recorded import Recorded

__all__ = ["Held", "everything", "leave_after_one", "trace_ended"]

PATIENCE = 100
"""Seconds until something that should have happened long ago makes a test fail."""


async def everything(program: Any, **inputs: Any) -> list[Any]:
    """Run a streamed program to its end and return all that came."""
    return [value async for value in program(**inputs)]


class Held:
    """Replies of a model server that stop before their fourth chunk until they may go on."""

    def __init__(self, server: ModelServer) -> None:
        self.go_on = threading.Event()
        server.reply = self._reply

    def _reply(self, request: Request) -> Reply:
        words = {field.name: "one two three four five six seven eight" for field in request.prompt.fields}
        return Reply(fields=words, before_chunk=self._before_chunk)

    def _before_chunk(self, index: int) -> None:
        if index == 3:
            assert self.go_on.wait(PATIENCE)


async def leave_after_one(program: Any, held: Held, *, by: str, **inputs: Any) -> None:
    """Take one value of a streamed program and leave, by closing it or because the own task is cancelled."""
    got_one = asyncio.Event()

    async def consume() -> None:
        values = program(**inputs)
        async for _ in values:
            got_one.set()
            if by == "closing":
                break
        # What DSPy itself says to being left is its own affair.
        with contextlib.suppress(BaseException):
            await values.aclose()

    task = asyncio.create_task(consume())
    await asyncio.wait_for(got_one.wait(), PATIENCE)
    if by == "cancelling":
        task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
    held.go_on.set()


class _Ended(SpanProcessor):
    def __init__(self) -> None:
        self.all = threading.Event()

    def on_end(self, span: ReadableSpan) -> None:
        if span.parent is None:
            self.all.set()


@contextlib.asynccontextmanager
async def trace_ended(telemetry: Recorded) -> AsyncIterator[None]:
    """Leave the block when the first span of a trace has ended in it, in whatever thread or task."""
    ended = _Ended()
    telemetry.tracer_provider.add_span_processor(ended)
    yield
    # Not in this thread: what is still to end may need its event loop.
    await asyncio.to_thread(ended.all.wait, PATIENCE)
    assert ended.all.is_set(), f"still open: {[span.name for span in telemetry.collector.open]}"


class Teller(dspy.streaming.StatusMessageProvider):
    """Says when the language model is called and when it has answered."""

    def lm_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        return "asking"

    def lm_end_status_message(self, outputs: Any) -> str:
        return "answered"
