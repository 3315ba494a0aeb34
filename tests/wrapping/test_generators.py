"""A program whose ``forward`` is a generator function: its span is as long as its work, and all else as ever."""

from __future__ import annotations

import asyncio
import gc
import inspect
import types
import warnings
import weakref
from contextlib import aclosing
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import INVALID_SPAN, get_current_span

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, usage_scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conftest import StartTelemetry
    from recorded import Recorded

WHOLE = """\
invoke_workflow Parts
  Predict ask
    chat dummy
  Predict ask
    chat dummy"""
BEGUN = """\
invoke_workflow Parts {}
  Predict ask
    chat dummy"""

CLOSED = "[ERROR GeneratorExit: ]"


class Parts(dspy.Module):
    """Asks for a part of its answer each time that somebody wants one."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = dspy.Predict("question -> answer")
        self.ended: list[str] = []

    def forward(self, question: str) -> Iterator[str]:
        wish: str | None = "first"
        try:
            for _ in range(2):
                try:
                    wish = yield self.ask(question=f"{question} {wish}").answer
                except LookupError as error:  # noqa: PERF203 - it goes on
                    wish = yield f"caught {error}"
        finally:
            self.ended.append("ended")
        return "done"


class AsyncParts(dspy.Module):
    """The same of the other kind."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = dspy.Predict("question -> answer")
        self.ended: list[str] = []

    async def forward(self, question: str) -> AsyncIterator[str]:
        wish: str | None = "first"
        try:
            for _ in range(2):
                try:
                    wish = yield (await self.ask.acall(question=f"{question} {wish}")).answer
                except LookupError as error:  # noqa: PERF203 - it goes on
                    wish = yield f"caught {error}"
        finally:
            await asyncio.sleep(0)
            self.ended.append("ended")


AsyncParts.__name__ = AsyncParts.__qualname__ = "Parts"


def told(action: Callable[[], Any]) -> Any:
    """What an action gives or raises."""
    try:
        return action()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is to be the same
        return repr(error)


async def told_async(awaitable: Any) -> Any:
    try:
        return await awaitable
    except BaseException as error:  # noqa: BLE001 - as above
        return repr(error)


def exhausted(parts: Any) -> list[Any]:
    return [told(lambda: next(parts)) for _ in range(4)]


def sent_into(parts: Any) -> list[Any]:
    return [told(lambda: parts.send("too early")), told(lambda: next(parts)), told(lambda: parts.send("other"))]


def closed_early(parts: Any) -> list[Any]:
    return [told(lambda: next(parts)), told(parts.close), told(parts.close), told(lambda: next(parts))]


def closed_before_it_began(parts: Any) -> list[Any]:
    return [told(parts.close), told(lambda: next(parts))]


def thrown_into(parts: Any) -> list[Any]:
    return [
        told(lambda: next(parts)),
        told(lambda: parts.throw(LookupError("one"))),
        told(lambda: parts.throw(ValueError("two"))),
        told(lambda: next(parts)),
    ]


def thrown_into_before_it_began(parts: Any) -> list[Any]:
    return [told(lambda: parts.throw(ValueError("early"))), told(lambda: next(parts))]


def never_iterated(parts: Any) -> list[Any]:
    return []


def left_to_the_garbage_collector(parts: Any) -> list[Any]:
    return [told(lambda: next(parts))]


async def exhausted_async(parts: Any) -> list[Any]:
    return [await told_async(anext(parts)) for _ in range(4)]


async def sent_into_async(parts: Any) -> list[Any]:
    return [
        await told_async(parts.asend("too early")),
        await told_async(anext(parts)),
        await told_async(parts.asend("other")),
        await told_async(parts.aclose()),
    ]


async def closed_early_async(parts: Any) -> list[Any]:
    return [
        await told_async(anext(parts)),
        await told_async(parts.aclose()),
        await told_async(parts.aclose()),
        await told_async(anext(parts)),
    ]


async def closed_before_it_began_async(parts: Any) -> list[Any]:
    return [await told_async(parts.aclose()), await told_async(anext(parts))]


async def thrown_into_async(parts: Any) -> list[Any]:
    return [
        await told_async(anext(parts)),
        await told_async(parts.athrow(LookupError("one"))),
        await told_async(parts.athrow(ValueError("two"))),
        await told_async(anext(parts)),
    ]


async def never_iterated_async(parts: Any) -> list[Any]:
    return []


async def left_to_the_loop_async(parts: Any) -> list[Any]:
    return [await told_async(anext(parts))]


ENDS = {
    exhausted: WHOLE,
    sent_into: WHOLE.replace("Parts", f"Parts {CLOSED}"),
    closed_early: BEGUN.format(CLOSED),
    closed_before_it_began: "",
    thrown_into: BEGUN.format("[ERROR ValueError: two]"),
    thrown_into_before_it_began: "",
    never_iterated: "",
    left_to_the_garbage_collector: BEGUN.format(CLOSED),
}
ASYNC_ENDS = {
    exhausted_async: WHOLE,
    sent_into_async: WHOLE.replace("Parts", f"Parts {CLOSED}"),
    closed_early_async: BEGUN.format(CLOSED),
    closed_before_it_began_async: "",
    thrown_into_async: BEGUN.format("[ERROR ValueError: two]"),
    never_iterated_async: "",
    left_to_the_loop_async: BEGUN.format(CLOSED),
}


def numbered() -> DummyLM:
    return DummyLM([{"answer": f"part {number}"} for number in range(20)])


@pytest.fixture(autouse=True)
def model() -> None:
    dspy.configure(lm=numbered())


def with_and_without(start_telemetry: StartTelemetry, observe: Callable[[], Any]) -> tuple[Any, Recorded]:
    """What there is to observe, the same with the instrumentation and without it."""
    without = observe()
    dspy.configure(lm=numbered())
    telemetry = start_telemetry()
    assert observe() == without
    gc.collect()
    return without, telemetry


@pytest.mark.parametrize("end", ENDS)
def test_its_span_is_as_long_as_its_work(end: Callable[[Any], list[Any]], start_telemetry: StartTelemetry) -> None:
    def observe() -> Any:
        program = Parts()
        parts = program(question="Where?")
        is_what = isinstance(parts, types.GeneratorType), inspect.isgenerator(parts), inspect.getgeneratorstate(parts)
        names = parts.__name__, parts.__qualname__
        seen = end(parts)
        state = inspect.getgeneratorstate(parts)
        del parts
        gc.collect()
        return is_what, names, seen, state, program.ended, get_current_span() is INVALID_SPAN

    without, telemetry = with_and_without(start_telemetry, observe)
    assert without[0][0]
    assert telemetry.tree() == ENDS[end]


@pytest.mark.parametrize("end", ASYNC_ENDS)
def test_so_is_that_of_an_asynchronous_one(
    end: Callable[[Any], Any], start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    def observe() -> Any:
        program = AsyncParts()

        async def main() -> Any:
            parts: Any = program(question="Where?")
            is_what = isinstance(parts, types.AsyncGeneratorType), inspect.isasyncgen(parts)
            return is_what, parts.__name__, parts.__qualname__, await end(parts), get_current_span() is INVALID_SPAN

        seen = asyncio.run(main())
        gc.collect()
        return seen, program.ended

    without, telemetry = with_and_without(start_telemetry, observe)
    assert without[0][0] == (True, True)
    assert telemetry.tree() == ASYNC_ENDS[end]
    assert caplog.records == []


def test_what_the_program_does_between_two_values_is_no_part_of_it(telemetry: Recorded) -> None:
    beside = dspy.Predict("question -> answer")
    with usage_scope() as usage:
        answers = [beside(question=part).answer for part in Parts()(question="Where?")]
    assert answers == ["part 1", "part 3"]
    assert telemetry.tree() == "\n".join([WHOLE, *["Predict question -> answer\n  chat dummy"] * 2])
    assert telemetry.attributes("invoke_workflow Parts")["dspy.usage.lm_calls"] == 2
    assert usage.lm_calls == 4


class Around(dspy.Module):
    """Hands on what another program gives."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = Parts()

    def forward(self, question: str) -> Iterator[str]:
        with usage_scope() as self.usage:
            yield from self.parts(question=question)


def test_one_in_another_is_below_it_and_neither_keeps_its_scope_open_for_others(telemetry: Recorded) -> None:
    around, beside = Around(), dspy.Predict("question -> answer")
    for part in around(question="Where?"):
        beside(question=part)
    inside = "\n".join(f"  {line}" for line in WHOLE.splitlines())
    assert telemetry.tree().startswith(f"invoke_workflow Around\n{inside}")
    assert len(telemetry.spans) == 1 + 5 + 2 * 2
    assert around.usage.lm_calls == 2


class Inheriting(Parts):
    def forward(self, question: str) -> Iterator[str]:
        yield "before"
        yield from super().forward(question)


class Calling(Parts):
    def __call__(self, question: str) -> Iterator[str]:  # type: ignore[override]
        yield "before"
        yield from super().__call__(question=question)


@pytest.mark.parametrize("program_class", [Inheriting, Calling])
def test_one_that_goes_on_to_its_parents_is_one_call(program_class: type[Parts], telemetry: Recorded) -> None:
    assert list(program_class()(question="Where?")) == ["before", "part 0", "part 1"]
    assert telemetry.tree() == WHOLE.replace("Parts", program_class.__name__)


def test_one_that_is_called_directly_is_a_call_too(telemetry: Recorded) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert list(Parts().forward(question="Where?")) == ["part 0", "part 1"]
    assert telemetry.tree() == WHOLE


def test_wrong_arguments_are_an_error_where_it_is_called(telemetry: Recorded) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'answer'"):
        Parts()(answer="Where?")
    assert telemetry.spans == []


def test_it_is_known_as_what_it_is(start_telemetry: StartTelemetry) -> None:
    def observe() -> Any:
        kinds = [inspect.isgeneratorfunction, inspect.isasyncgenfunction, inspect.iscoroutinefunction]
        found = []
        for program_class in (Parts, AsyncParts):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                forward: Any = program_class().forward
            found += [(kind(forward), kind(program_class.forward)) for kind in kinds]
        return found

    without, _ = with_and_without(start_telemetry, observe)
    assert without[0] == (True, True)


def test_a_warning_in_it_is_about_the_line_that_asked_for_a_value(telemetry: Recorded) -> None:
    class OutOfDate(dspy.Module):
        def forward(self) -> Iterator[int]:
            warnings.warn("old", DeprecationWarning, stacklevel=2)
            yield 1

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert list(OutOfDate()()) == [1]
    assert [each.filename for each in caught] == [__file__]


def test_each_value_may_be_asked_for_in_a_context_of_its_own(telemetry: Recorded) -> None:
    parts = Parts()(question="Where?")
    assert [copy_context().run(next, parts) for _ in range(2)] == ["part 0", "part 1"]
    assert copy_context().run(next, parts, "over") == "over"
    assert telemetry.tree() == WHOLE


def test_one_that_is_under_way_when_it_is_switched_off_ends_its_span(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry()
    parts = Parts()(question="Where?")
    assert next(parts) == "part 0"
    DSPyInstrumentor().uninstrument()
    assert list(parts) == ["part 1"]
    assert telemetry.tree() == BEGUN.format("").replace(" \n", "\n")


def test_what_was_thrown_in_is_not_kept_alive(telemetry: Recorded) -> None:
    class ThrownError(Exception):
        pass

    def throw() -> weakref.ref[ThrownError]:
        parts = Parts()(question="Where?")
        next(parts)
        error = ThrownError()
        with pytest.raises(ThrownError):
            parts.throw(error)
        error.__traceback__ = None
        return weakref.ref(error)

    gc.collect()
    gc.disable()
    try:
        assert throw()() is None
    finally:
        gc.enable()


def test_what_is_suppressed_is_handed_on_as_it_is(telemetry: Recorded) -> None:
    async def all_of(parts: Any) -> list[str]:
        async with aclosing(parts):
            return [part async for part in parts]

    with suppress_instrumentation():
        assert list(Parts()(question="Where?")) == ["part 0", "part 1"]
        assert asyncio.run(all_of(AsyncParts()(question="Where?"))) == ["part 2", "part 3"]
    assert telemetry.spans == []
