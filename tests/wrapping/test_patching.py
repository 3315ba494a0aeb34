"""One call is recorded once: over a class and all its subclasses, whatever they override and whenever they are made."""

from __future__ import annotations

import asyncio
import gc
import inspect
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from patched import Notebook, Worker, calling, patched

from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.instrumentation.dspy.context import Call


class Inheriting(Worker):
    """Overrides nothing that is recorded."""


class Calling(Worker):
    def __call__(self, *values: Any, **options: Any) -> Any:
        return super().__call__(*values, **options)

    async def acall(self, *values: Any, **options: Any) -> Any:
        return await super().acall(*values, **options)


class CallingTwice(Calling):
    def __call__(self, *values: Any, **options: Any) -> Any:
        return super().__call__(*values, **options)


class OnItsOwn(Worker):
    def __call__(self, *values: Any, **options: Any) -> Any:
        return f"own {values[0]}"


class Recursive(Calling):
    def __call__(self, *values: Any, **options: Any) -> Any:
        return super().__call__(*values) if values[0] == 0 else self(values[0] - 1)


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    recorder = Notebook()
    with patched(recorder):
        yield recorder
    assert current_call() is NO_CALL


def test_a_call_is_recorded_with_its_arguments_and_its_result() -> None:
    calls: list[Call] = []

    class Arguments:
        def begin(self, call: Call) -> None:
            calls.append(call)

    worker = Worker()
    with patched(Arguments()):
        assert worker(1, 2, way="fast") == 1
    [call] = calls
    assert (call.instance, call.owner, call.attribute) == (worker, Worker, "__call__")
    assert (call.arguments, call.keyword_arguments) == ((1, 2), {"way": "fast"})


def test_a_subclass_that_overrides_nothing_is_recorded(notebook: Notebook) -> None:
    Inheriting()(1)
    assert notebook.lines == ["Worker.__call__ = 1"]


@pytest.mark.parametrize("worker_class", [Calling, CallingTwice])
def test_an_override_that_calls_super_is_one_call(notebook: Notebook, worker_class: type[Worker]) -> None:
    worker_class()(1)
    assert notebook.lines == [f"{worker_class.__name__}.__call__ = 1"]


async def test_an_async_override_that_calls_super_is_one_call(notebook: Notebook) -> None:
    assert await Calling().acall(1) == 1
    assert notebook.lines == ["Calling.acall = 1"]


def test_an_override_that_never_calls_super_is_one_call(notebook: Notebook) -> None:
    assert OnItsOwn()(1) == "own 1"
    assert notebook.lines == ["OnItsOwn.__call__ = 'own 1'"]


def test_an_override_in_a_class_that_is_defined_later_is_recorded(notebook: Notebook) -> None:
    class Later(Calling):
        def __call__(self, *values: Any, **options: Any) -> Any:
            return -values[0]

    class Latest(Later):
        async def acall(self, *values: Any, **options: Any) -> Any:
            return self(*values)

    assert Later()(1) == -1
    assert asyncio.run(Latest().acall(2)) == -2
    assert notebook.lines == ["Later.__call__ = -1", "Latest.acall = -2"]


def test_an_async_call_that_delegates_to_the_sync_one_is_one_call(notebook: Notebook) -> None:
    class Delegating(Worker):
        async def acall(self, *values: Any, **options: Any) -> Any:
            return self(*values)

    assert asyncio.run(Delegating().acall(1)) == 1
    assert notebook.lines == ["Delegating.acall = 1"]


def test_a_plain_method_that_hands_out_a_coroutine_is_one_call(notebook: Notebook) -> None:
    class HandingOn(Worker):
        def acall(self, *values: Any, **options: Any) -> Any:
            return super().acall(*values)

    class HandingOver(Worker):
        def acall(self, *values: Any, **options: Any) -> Any:
            return self.awork(*values)

    assert asyncio.run(HandingOn().acall(1)) == 1
    assert asyncio.run(HandingOver().acall(2)) == 2
    assert notebook.lines == ["HandingOn.acall = 1", "HandingOver.acall = 2"]


def test_a_plain_method_in_the_place_of_a_coroutine_may_hand_out_anything(notebook: Notebook) -> None:
    class HandingOut(Worker):
        def acall(self, *values: Any, **options: Any) -> Any:
            return values

    assert HandingOut().acall(1, 2) == (1, 2)
    assert notebook.lines == []


def test_recursion_through_the_most_derived_method_is_a_call_each_time(notebook: Notebook) -> None:
    assert Recursive()(2) == 0
    assert notebook.lines == [
        "Recursive.__call__ = 0",
        "  Recursive.__call__ = 0",
        "    Recursive.__call__ = 0",
    ]


def test_a_worker_that_calls_itself_through_another_is_recorded_twice(notebook: Notebook) -> None:
    class Through(Worker):
        def work(self, *values: Any, **options: Any) -> Any:
            other, depth = values
            return other(self, depth - 1) if depth else "done"

    Through()(Through(), 2)
    assert notebook.lines == [
        "Worker.__call__ = 'done'",
        "  Worker.__call__ = 'done'",
        "    Worker.__call__ = 'done'",
    ]


def test_a_function_of_a_python_module_is_recorded() -> None:
    recorder = Notebook()
    with patched(recorder, "calling", owner=None):
        import a_library_to_be_patched as library  # type: ignore[import-not-found]

        assert library.calling(Worker(), 3) == 3
        assert calling(Worker(), 3) == 3
    assert recorder.lines == ["function.calling = 3"]


def test_the_exception_of_a_call_is_recorded_and_passes_through_as_it_is(notebook: Notebook) -> None:
    error = KeyError("gone")

    class Failing(Worker):
        def work(self, *values: Any, **options: Any) -> Any:
            raise error

        async def awork(self, *values: Any, **options: Any) -> Any:
            raise error

    with pytest.raises(KeyError) as raised:
        Failing()(1)
    assert raised.value is error
    with pytest.raises(KeyError) as raised:
        asyncio.run(Failing().acall(1))
    assert raised.value is error
    assert error.__cause__ is error.__context__ is None
    assert notebook.lines == ["Worker.__call__ ! KeyError('gone')", "Worker.acall ! KeyError('gone')"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_an_interruption_is_recorded_and_passes_through(notebook: Notebook, interruption: BaseException) -> None:
    class Interrupted(Worker):
        def work(self, *values: Any, **options: Any) -> Any:
            raise interruption

    with pytest.raises(type(interruption)) as raised:
        Interrupted()(1)
    assert raised.value is interruption
    assert notebook.lines == [f"Worker.__call__ ! {interruption!r}"]


async def test_a_cancelled_call_is_recorded_as_such(notebook: Notebook) -> None:
    begun = asyncio.Event()

    class Waiting(Worker):
        async def awork(self, *values: Any, **options: Any) -> Any:
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(Waiting().acall(1))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert notebook.lines == ["Worker.acall ! CancelledError()"]


def test_a_coroutine_that_is_left_to_the_garbage_collector_ends_without_a_word(
    notebook: Notebook, caplog: pytest.LogCaptureFixture
) -> None:
    # What others left to the garbage collector is not to be found in this test's log.
    gc.collect()
    caplog.clear()

    class Waiting(Worker):
        async def awork(self, *values: Any, **options: Any) -> Any:
            await asyncio.get_running_loop().create_future()

    def begin() -> Any:
        coroutine = Waiting().acall(1)
        # Driven by hand, in a context of its own, so that no task keeps it.
        copy_context().run(coroutine.send, None)
        return coroutine

    async def abandon() -> None:
        begun = begin()
        del begun

    asyncio.run(abandon())
    gc.collect()
    assert notebook.lines == ["Worker.acall ! GeneratorExit()"]
    assert caplog.records == []


def test_a_call_that_is_never_awaited_is_not_recorded(notebook: Notebook) -> None:
    Worker().acall(1).close()
    assert notebook.lines == []


async def test_suppressed_calls_are_not_recorded(notebook: Notebook) -> None:
    with suppress_instrumentation():
        assert Calling()(1) == 1
        assert await Calling().acall(2) == 2
    assert notebook.lines == []
    Calling()(3)
    assert notebook.lines == ["Calling.__call__ = 3"]


def test_a_wrapped_method_looks_like_the_method() -> None:
    def looks(worker_class: type[Worker]) -> list[Any]:
        return [
            inspect.signature(worker_class.__call__),
            inspect.signature(worker_class().acall),
            inspect.iscoroutinefunction(worker_class.acall),
            inspect.iscoroutinefunction(worker_class().acall),
            inspect.iscoroutinefunction(worker_class.__call__),
            inspect.ismethod(worker_class().acall),
            worker_class.__call__.__qualname__,
            worker_class.__call__.__doc__,
        ]

    before = [looks(Worker), looks(Calling)]
    with patched(Notebook()):
        assert [looks(Worker), looks(Calling)] == before
