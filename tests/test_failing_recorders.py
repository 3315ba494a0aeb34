"""A recorder that fails changes no call, and leaves no span open."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import INVALID_SPAN, get_current_span
from patched import Worker, patched
from recorded import Recorded

from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call, with_call
from opentelemetry.instrumentation.dspy.spans import open_span

if TYPE_CHECKING:
    from opentelemetry.instrumentation.dspy.patching import Call


class Breaking:
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
            context = with_call(current_call().child(call.instance, call.owner, call.attribute))
            open_span(recorded.tracer_provider.get_tracer("test"), "half a span", context)
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
    assert (record.name, record.levelno) == ("opentelemetry.instrumentation.dspy.complaints", logging.WARNING)
    assert record.getMessage() == (
        "Breaking failed; the DSPy call goes on without its telemetry. Further failures of this kind are not logged."
    )
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
