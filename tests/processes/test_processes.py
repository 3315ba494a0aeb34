"""A carrier leads from one process to another, whatever it is written in, and what is none does no harm."""

from __future__ import annotations

import asyncio
import email.message
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from parameter_names import name_of_value
from starlette.datastructures import Headers

from opentelemetry import baggage, context, propagate, trace
from opentelemetry.instrumentation.dspy import (
    incoming_context,
    outgoing_context,
    processes,
    telemetry_context,
    usage_scope,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from recorded import Recorded

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID, SPAN_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
SECRET = "what nobody is to read"
CARRIER = {"traceparent": PARENT, "baggage": "tenant=t-1"}


@pytest.fixture
def program(telemetry: Recorded) -> dspy.Predict:
    dspy.configure(lm=DummyLM([{"answer": "here"}] * 50))
    return dspy.Predict("question -> answer")


def parent_of(telemetry: Recorded) -> tuple[int, int] | None:
    parent = telemetry.span("Predict question -> answer").parent
    return None if parent is None else (parent.trace_id, parent.span_id)


def message(**headers: str) -> email.message.Message:
    """Headers as ``http.server`` and ``urllib`` have them."""
    made = email.message.Message()
    for name, value in headers.items():
        made[name] = value
    return made


@pytest.mark.parametrize(
    "carrier",
    [
        CARRIER,
        {"Traceparent": PARENT, "BAGGAGE": "tenant=t-1", "Accept": "*/*"},
        {b"traceparent": PARENT.encode(), b"baggage": b"tenant=t-1"},
        {"traceparent": [PARENT], "baggage": ("tenant=t-1",), "retries": 3, 4: None},
        Headers({"TraceParent": PARENT, "Baggage": "tenant=t-1"}),
        message(Traceparent=PARENT, Baggage="tenant=t-1"),
    ],
    ids=["a dictionary", "in capitals", "bytes", "lists", "Starlette's", "http.server's"],
)
def test_trace_and_baggage_go_on_whatever_the_headers_are_written_in(
    telemetry: Recorded, program: dspy.Predict, carrier: Any
) -> None:
    with incoming_context(carrier) as usage:
        program(question="one")
        assert baggage.get_baggage("tenant") == "t-1"
    assert parent_of(telemetry) == (TRACE_ID, SPAN_ID)
    assert usage.lm_calls == 1
    assert baggage.get_baggage("tenant") is None
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize(
    "carrier",
    [
        None,
        {},
        {"traceparent": None},
        {"traceparent": ""},
        {"traceparent": "00-zz-zz-01"},
        {"traceparent": PARENT[:-3]},
        {"traceparent": f"00-{'0' * 32}-{'0' * 16}-01"},
        {"traceparent": b"\xff\xfe"},
        {"traceparent": "x" * 100_000},
        {"traceparent": {"a": 1}},
        {"tracestate": "a=b"},
        {None: None, (): [], 1.5: object()},
    ],
    ids=name_of_value,
)
def test_what_is_no_context_begins_a_trace(telemetry: Recorded, program: dspy.Predict, carrier: Any) -> None:
    with incoming_context(carrier) as usage:
        program(question="one")
    assert parent_of(telemetry) is None
    assert usage.export()["by_model"]["dummy"]["lm_calls"] == 1


@pytest.mark.parametrize("carrier", ["traceparent", [("traceparent", PARENT)], 3, object()])
def test_what_is_no_mapping_is_an_error(carrier: Any) -> None:
    with (
        pytest.raises(TypeError, match=r"^incoming_context takes a mapping of header names to values, not "),
        incoming_context(carrier),
    ):
        pass


def test_what_goes_out_is_what_comes_in(telemetry: Recorded, program: dspy.Predict) -> None:
    token = context.attach(baggage.set_baggage("tenant", "t-2"))
    headers = {"Authorization": "Bearer x"}
    try:
        with TracerProvider().get_tracer("here").start_as_current_span("asking") as asking:
            carrier = outgoing_context(headers)
    finally:
        context.detach(token)
    assert headers == {"Authorization": "Bearer x"}
    assert set(carrier) == {"Authorization", "traceparent", "baggage"}
    with incoming_context(carrier):
        program(question="one")
        assert baggage.get_baggage("tenant") == "t-2"
    own = asking.get_span_context()
    assert parent_of(telemetry) == (own.trace_id, own.span_id)


def test_inside_of_a_program_its_span_goes_out(telemetry: Recorded, program: dspy.Predict) -> None:
    class Asking(dspy.Module):
        def forward(self) -> dict[str, str]:
            return outgoing_context()

    carrier = Asking()()
    own = telemetry.span("invoke_workflow Asking").context
    assert carrier["traceparent"].split("-")[1:3] == [f"{own.trace_id:032x}", f"{own.span_id:016x}"]


def test_without_a_span_nothing_goes_out() -> None:
    assert outgoing_context() == {}


def test_a_server_span_of_the_framework_stays_the_parent(telemetry: Recorded, program: dspy.Predict) -> None:
    app = FastAPI()
    tracer = TracerProvider().get_tracer("framework")
    served = []

    @app.get("/ask")
    def ask(request: Request) -> int:
        from opentelemetry.propagate import extract

        with tracer.start_as_current_span("GET /ask", extract(request.headers)) as span:
            served.append(span.get_span_context())
            with incoming_context(request.headers) as usage:
                program(question="one")
        return usage.lm_calls

    # The annotation is one of this function's own frame.
    ask.__annotations__["request"] = Request
    with TestClient(app) as client:
        assert client.get("/ask", headers={"traceparent": PARENT}).json() == 1
    assert parent_of(telemetry) == (TRACE_ID, served[0].span_id)


def test_a_span_of_another_trace_does_not_keep_the_carrier_out(telemetry: Recorded, program: dspy.Predict) -> None:
    with TracerProvider().get_tracer("worker").start_as_current_span("polling"), incoming_context(CARRIER):
        program(question="one")
    assert parent_of(telemetry) == (TRACE_ID, SPAN_ID)


def test_work_that_was_not_sent_away_after_all_is_counted_once(telemetry: Recorded, program: dspy.Predict) -> None:
    """As Celery does with ``task_always_eager``, and joblib with its threads."""

    def work(carrier: dict[str, str]) -> dict[str, Any]:
        with incoming_context(carrier) as usage:
            program(question="one")
            return usage.export()

    with usage_scope() as usage, TracerProvider().get_tracer("here").start_as_current_span("asking"):
        usage.merge(work(outgoing_context()))
        assert usage.lm_calls == 1
        with ThreadPoolExecutor(1) as pool:
            usage.merge(pool.submit(work, outgoing_context()).result())
    assert usage.lm_calls == 2


def test_a_total_of_the_whole_worker_has_every_task_in_it(telemetry: Recorded, program: dspy.Predict) -> None:
    with usage_scope() as worker, telemetry_context(attributes={"worker": "w-1"}):
        for _ in range(3):
            with incoming_context(CARRIER) as usage:
                program(question="one")
            assert usage.lm_calls == 1
    assert worker.lm_calls == 3
    assert {(span.attributes or {}).get("worker") for span in telemetry.spans} == {"w-1"}


async def test_tasks_at_the_same_time_each_have_their_own(telemetry: Recorded, program: dspy.Predict) -> None:
    async def serve(number: int) -> tuple[int, Any]:
        with incoming_context({**CARRIER, "baggage": f"tenant=t-{number}"}) as usage:
            for _ in range(number):
                await program.acall(question="one")
            return usage.lm_calls, baggage.get_baggage("tenant")

    assert await asyncio.gather(*map(serve, (1, 2, 3))) == [(1, "t-1"), (2, "t-2"), (3, "t-3")]


def test_an_error_inside_reaches_the_caller_and_leaves_nothing_behind(telemetry: Recorded) -> None:
    with pytest.raises(ZeroDivisionError), incoming_context(CARRIER):
        raise ZeroDivisionError
    assert trace.get_current_span() is trace.INVALID_SPAN


class OddPropagator(TextMapPropagator):
    """Does to a carrier whatever it is told."""

    def __init__(self, deed: Callable[..., Any]) -> None:
        self._deed = deed

    def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
        self._deed()

    def extract(self, carrier: Any, context: Any = None, getter: Any = None) -> Any:
        return self._deed()

    @property
    def fields(self) -> set[str]:
        return set()


def fail() -> Any:
    raise ZeroDivisionError(SECRET)


@pytest.mark.complaints
@pytest.mark.parametrize("deed", [fail, lambda: None, lambda: 7], ids=["raises", "nothing", "a number"])
def test_work_goes_on_without_a_propagator_that_fails(
    telemetry: Recorded,
    program: dspy.Predict,
    deed: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(processes, "_told", set())
    propagators = [TraceContextTextMapPropagator(), OddPropagator(deed)]
    monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", CompositePropagator(propagators))
    for _ in range(2):
        with TracerProvider().get_tracer("here").start_as_current_span("asking"):
            carrier = outgoing_context({"Authorization": "secret"})
        assert set(carrier) == {"Authorization", "traceparent"}
        with incoming_context(carrier) as usage:
            assert program(question="Where?").answer == "here"
        assert usage.lm_calls == 1
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("A propagator of this program failed: ")
    assert SECRET not in "".join(map(logging.Formatter().format, caplog.records))
