"""Requests that an application serves at the same time are a trace each, below spans of its own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import dspy
from desk import Desk, examples, traces
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server import ModelServer, Request
    from recorded import Recorded


async def test_requests_that_one_event_loop_serves_at_once_are_a_trace_each(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = all_at_once(3)
    desk, tracer = Desk(), telemetry.tracer_provider.get_tracer("app")

    async def handle(number: int) -> None:
        with (
            tracer.start_as_current_span(f"GET /{number}"),
            telemetry_context(attributes={"request.number": number}),
        ):
            await desk.acall(question="Where?")

    await asyncio.gather(*(handle(number) for number in range(3)))
    assert_a_trace_each(telemetry)


async def test_synchronous_programs_that_an_event_loop_serves_at_once_are_a_trace_each(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = all_at_once(3)
    desk, tracer = dspy.asyncify(Desk()), telemetry.tracer_provider.get_tracer("app")

    async def handle(number: int) -> None:
        with (
            tracer.start_as_current_span(f"GET /{number}"),
            telemetry_context(attributes={"request.number": number}),
        ):
            await desk(question="Where?")

    await asyncio.gather(*(handle(number) for number in range(3)))
    assert_a_trace_each(telemetry)


def test_requests_that_threads_serve_at_once_are_a_trace_each(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = all_at_once(6)
    desk, tracer = Desk(), telemetry.tracer_provider.get_tracer("app")

    def handle(number: int) -> None:
        with (
            tracer.start_as_current_span(f"GET /{number}"),
            telemetry_context(attributes={"request.number": number}),
        ):
            desk.batch(examples("Where?", "When?"), num_threads=2, disable_progress_bar=True)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(handle, range(3)))
    assert_a_trace_each(telemetry)


def assert_a_trace_each(telemetry: Recorded) -> None:
    requests = [span for span in telemetry.spans if span.name.startswith("GET /")]
    assert len(traces(requests)) == 3
    inside = [span for span in telemetry.spans if span not in requests]
    assert len(inside) >= 9
    assert traces(inside) == traces(requests)
    for request in requests:
        numbers = {
            attributes_of(span)["request.number"]
            for span in inside
            if span.context.trace_id == request.context.trace_id
        }
        assert numbers == {int(request.name.removeprefix("GET /"))}


def all_at_once(count: int) -> Callable[[Request], None]:
    """A script that answers no request before all of them are there."""
    barrier = threading.Barrier(count, timeout=110)

    def script(_: Request) -> None:
        barrier.wait()

    return script
