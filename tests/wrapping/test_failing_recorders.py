"""A recorder that fails changes no call, and leaves no span open."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from opentelemetry.trace import INVALID_SPAN, StatusCode, get_current_span
from patched import Worker, patched
from recorded import Recorded

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, usage_scope
from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call
from opentelemetry.instrumentation.dspy.spans import open_span
from opentelemetry.instrumentation.dspy.tracers import CallTracerProvider
from opentelemetry.instrumentation.dspy.wrapping.calls import Recording

if TYPE_CHECKING:
    from opentelemetry.instrumentation.dspy.context import Call


class Breaking(Recording):
    """A recorder that fails at one point of each call."""

    def __init__(self, point: str) -> None:
        self.point = point

    def begin(self, call: Call) -> Breaking:
        self.reach("begin")
        return self

    def finish(self, result: Any) -> None:
        self.reach("finish")

    def fail(self, error: BaseException) -> None:
        self.reach("fail")

    def reach(self, point: str) -> None:
        if point == self.point:
            raise ZeroDivisionError(point)


@pytest.mark.complaints
def test_a_recorder_that_fails_after_it_opened_a_span_leaves_it_neither_open_nor_current() -> None:
    class Halfway:
        def begin(self, call: Call) -> None:
            open_span(call, CallTracerProvider(recorded.tracer_provider).get_tracer("test"), "half a span")
            raise ZeroDivisionError

    recorded = Recorded()
    current: list[Any] = []

    class Looking(Worker):
        def work(self, *values: Any, **options: Any) -> Any:
            current.append((current_call(), get_current_span()))

    with patched(Halfway()):
        Looking()(1)
    assert current == [(NO_CALL, INVALID_SPAN)]
    assert recorded.tree() == "half a span"
    assert recorded.collector.open == []
    assert current_call() is NO_CALL


@pytest.mark.complaints
@pytest.mark.parametrize("point", ["begin", "finish", "fail"])
def test_a_failing_recorder_is_logged_once_and_changes_no_call(point: str, caplog: pytest.LogCaptureFixture) -> None:
    error = KeyError("the program's own")

    class Failing(Worker):
        def work(self, *values: Any, **options: Any) -> Any:
            raise error

        async def awork(self, *values: Any, **options: Any) -> Any:
            raise error

    with patched(Breaking(point)):
        for number in range(3):
            assert Worker()(number) == number
            assert asyncio.run(Worker().acall(number)) == number
            with pytest.raises(KeyError) as raised:
                Failing()(number)
            assert raised.value is error
            with pytest.raises(KeyError) as raised:
                asyncio.run(Failing().acall(number))
            assert raised.value is error
    [record] = caplog.records
    assert (record.name, record.levelno) == ("opentelemetry.instrumentation.dspy.wrapping.complaints", logging.WARNING)
    assert record.getMessage() == (
        "Breaking failed; the DSPy call goes on without its telemetry. Further failures of this kind are not logged."
    )
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


class Opening(Recording):
    """A recorder that opens a span and fails before it comes to end it."""

    def __init__(self, recorded: Recorded, failure: BaseException) -> None:
        self.tracer = CallTracerProvider(recorded.tracer_provider).get_tracer("test")
        self.failure = failure

    def begin(self, call: Call) -> Opening:
        for name in ("outer", "inner"):
            open_span(call, self.tracer, name)
        return self

    def finish(self, result: Any) -> None:
        raise self.failure

    def fail(self, error: BaseException) -> None:
        raise self.failure


class Raising(Worker):
    def work(self, *values: Any, **options: Any) -> Any:
        raise LookupError("the program's own")


@pytest.mark.complaints
@pytest.mark.parametrize("worker", [Worker, Raising])
@pytest.mark.parametrize("failure", [ZeroDivisionError(), KeyboardInterrupt(), SystemExit()], ids=type)
def test_what_a_call_opened_ends_with_it_whatever_its_recording_raises(
    worker: type[Worker], failure: BaseException
) -> None:
    recorded = Recorded()
    own = LookupError if worker is Raising else ()
    with patched(Opening(recorded, failure)):
        if not isinstance(failure, Exception):
            with pytest.raises(type(failure)) as raised:
                worker()(1)
            assert raised.value is failure
        elif own:
            with pytest.raises(own):
                worker()(1)
        else:
            assert worker()(1) == 1
    assert recorded.collector.open == []
    assert [span.status.status_code for span in recorded.spans] == [StatusCode.ERROR if own else StatusCode.UNSET] * 2
    assert (current_call(), get_current_span()) == (NO_CALL, INVALID_SPAN)


@pytest.mark.complaints
async def test_a_coroutine_that_is_closed_leaves_no_span_open() -> None:
    recorded = Recorded()

    class Waiting(Worker):
        async def awork(self, *values: Any, **options: Any) -> Any:
            await asyncio.Event().wait()

    with patched(Opening(recorded, ZeroDivisionError())):
        coroutine = Waiting().acall(1)
        task = asyncio.ensure_future(coroutine)
        await asyncio.wait([task], timeout=0)
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0))])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert recorded.collector.open == []
    assert len(recorded.spans) == 2


class UnspeakableError(Exception):
    """An error of the application that does not let itself be written."""

    def __str__(self) -> str:
        raise GeneratorExit


class Desk(dspy.Module):
    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")
        self.error = error

    def forward(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.answer(question="one")


def test_an_error_that_cannot_be_written_reaches_the_program_and_ends_its_span(telemetry: Recorded) -> None:
    error = UnspeakableError()
    with pytest.raises(UnspeakableError) as raised:
        Desk(error)()
    assert raised.value is error
    assert telemetry.span("invoke_workflow Desk").status.description == "UnspeakableError"
    assert current_call() is NO_CALL


@pytest.mark.complaints
@pytest.mark.parametrize("failure", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("method", ["on_start", "on_end"])
def test_a_span_processor_that_raises_leaves_the_context_and_the_program(
    telemetry: Recorded, method: str, failure: type[BaseException]
) -> None:
    class Raising(type(telemetry.collector)):  # type: ignore[misc]
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            self.reach("on_start")

        def on_end(self, span: Any) -> None:
            self.reach("on_end")

        def reach(self, point: str) -> None:
            if point == method and not broken:
                broken.append(point)
                if failure is KeyboardInterrupt:
                    signal.raise_signal(signal.SIGINT)
                raise failure

    broken: list[str] = []
    telemetry.tracer_provider.add_span_processor(Raising())
    dspy.configure(lm=DummyLM([{"answer": "here"}] * 5))
    desk = Desk()
    if failure is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            desk()
    else:
        assert desk().answer == "here"
    assert (current_call(), get_current_span()) == (NO_CALL, INVALID_SPAN)
    if method == "on_end":
        assert telemetry.collector.open == []
    telemetry.clear()
    assert desk().answer == "here"
    assert telemetry.tree() == "invoke_workflow Desk\n  Predict answer\n    chat dummy"


@pytest.mark.complaints
def test_a_meter_that_raises_and_a_logger_that_raises_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    recorded = Recorded()

    class Breaking:
        def __getattr__(self, name: str) -> Any:
            def make(*_: Any, **__: Any) -> Any:
                if name.startswith("create"):
                    return Breaking()
                raise ZeroDivisionError(name)

            return make

        def get_meter(self, *_: Any, **__: Any) -> Any:
            return self

    def refuse(_record: logging.LogRecord) -> bool:
        raise LookupError

    logger = logging.getLogger("opentelemetry.instrumentation.dspy.wrapping.complaints")
    logger.addFilter(refuse)
    providers = {**recorded.providers, "meter_provider": Breaking()}
    DSPyInstrumentor().instrument(**providers)
    try:
        dspy.configure(lm=DummyLM([{"answer": "here"}] * 5))
        with usage_scope() as scope:
            assert [Desk()().answer for _ in range(2)] == ["here"] * 2
        assert scope.lm_calls == 2
    finally:
        DSPyInstrumentor().uninstrument()
        logger.removeFilter(refuse)
    assert recorded.collector.open == []
    assert recorded.tree() == "\n".join(["invoke_workflow Desk\n  Predict answer\n    chat dummy"] * 2)
