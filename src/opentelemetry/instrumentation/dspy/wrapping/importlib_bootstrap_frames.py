"""The frames that stand between a caller and DSPy, in a file whose name makes ``warnings`` look past them.

``warnings.warn(..., stacklevel=2)`` counts frames to find the line of the program that a warning is about. If it found
ours, Python's default filter, which shows a ``DeprecationWarning`` to the program's own file alone, would drop it.
Frames whose file name has "importlib" and "_bootstrap" in it are not counted (``is_internal_frame`` in CPython's
``Python/_warnings.c``, ``_is_internal_frame`` in its ``warnings.py``, since Python 3.3): a call through the import
system is no more a caller than a call through us. Tracebacks show these frames as any other.
"""

from __future__ import annotations

import copy
import functools
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from .generators import OwnContext, ask_first

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from contextlib import AbstractContextManager

__all__ = ["FailureNotingCall", "TracedCall", "call_async", "call_async_generator", "call_generator", "call_sync"]


class UnderWay(Protocol):
    """A call that is being recorded or taken note of."""

    def finish(self, result: Any) -> None:
        """Record what the call returned."""

    def fail(self, error: BaseException) -> None:
        """Record the exception that ended the call."""


class Handler(Protocol):
    """Whoever is to record calls, or to take note of them."""

    def begin(self, instance: Any, arguments: tuple[Any, ...], keyword_arguments: dict[str, Any]) -> UnderWay | None:
        """Begin to record a call; ``None`` where it is not to be recorded."""


def call_sync(
    handler: Handler,
    wrapped: Callable[..., Any],
    instance: Any,
    arguments: tuple[Any, ...],
    keyword_arguments: dict[str, Any],
) -> Any:
    """Call a plain function."""
    under_way = handler.begin(instance, arguments, keyword_arguments)
    if under_way is None:
        return wrapped(*arguments, **keyword_arguments)
    try:
        result = wrapped(*arguments, **keyword_arguments)
    except BaseException as error:
        under_way.fail(error)
        raise
    under_way.finish(result)
    return result


async def call_async(
    handler: Handler,
    wrapped: Callable[..., Awaitable[Any]],
    instance: Any,
    arguments: tuple[Any, ...],
    keyword_arguments: dict[str, Any],
) -> Any:
    """Call and await a coroutine function."""
    under_way = handler.begin(instance, arguments, keyword_arguments)
    if under_way is None:
        return await wrapped(*arguments, **keyword_arguments)
    try:
        result = await wrapped(*arguments, **keyword_arguments)
    except BaseException as error:
        under_way.fail(error)
        raise
    under_way.finish(result)
    return result


def call_generator(
    handler: Handler,
    wrapped: Callable[..., Generator[Any, Any, Any]],
    instance: Any,
    arguments: tuple[Any, ...],
    keyword_arguments: dict[str, Any],
) -> Any:
    """Call a generator function: what is recorded begins and ends with the work, as that of a coroutine function."""
    generator = wrapped(*arguments, **keyword_arguments)
    return _named_as(generator, _follow(handler, generator, instance, arguments, keyword_arguments))


def _follow(
    handler: Handler,
    generator: Generator[Any, Any, Any],
    instance: Any,
    arguments: tuple[Any, ...],
    keyword_arguments: dict[str, Any],
) -> Generator[Any, Any, Any]:
    own = OwnContext()
    with own:
        under_way = handler.begin(instance, arguments, keyword_arguments)
    if under_way is None:
        return (yield from generator)
    go_on: Callable[[Any], Any] = generator.send
    given: Any = None
    while True:
        with own:
            try:
                value = go_on(given)
            except StopIteration as end:
                under_way.finish(end.value)
                return end.value
            except BaseException as error:
                # What was thrown in must not be held by the frame that it holds.
                given = None
                under_way.fail(error)
                raise
        try:
            go_on, given = generator.send, (yield value)
        except BaseException as error:  # noqa: BLE001 - thrown in, or GeneratorExit: for the generator to decide
            go_on, given = generator.throw, error


def call_async_generator(
    handler: Handler,
    wrapped: Callable[..., AsyncGenerator[Any, Any]],
    instance: Any,
    arguments: tuple[Any, ...],
    keyword_arguments: dict[str, Any],
) -> Any:
    """Call an asynchronous generator function."""
    generator = wrapped(*arguments, **keyword_arguments)
    return _named_as(generator, _follow_async(handler, generator, instance, arguments, keyword_arguments))


async def _follow_async(
    handler: Handler,
    generator: AsyncGenerator[Any, Any],
    instance: Any,
    arguments: tuple[Any, ...],
    keyword_arguments: dict[str, Any],
) -> AsyncGenerator[Any, Any]:
    own: AbstractContextManager[None] = OwnContext()
    with own:
        under_way = handler.begin(instance, arguments, keyword_arguments)
    if under_way is None:
        own = nullcontext()
    go_on: Callable[[Any], Awaitable[Any]] = lambda _: ask_first(generator)  # noqa: E731
    given: Any = None
    while True:
        with own:
            try:
                value = await go_on(given)
            except StopAsyncIteration:
                if under_way is not None:
                    under_way.finish(None)
                return
            except BaseException as error:
                given = None
                if under_way is not None:
                    under_way.fail(error)
                raise
        try:
            go_on, given = generator.asend, (yield value)
        except BaseException as error:  # noqa: BLE001 - as above
            go_on, given = generator.athrow, error


def _named_as(generator: Any, following: Any) -> Any:
    following.__name__, following.__qualname__ = generator.__name__, generator.__qualname__
    return following


class TracedCall:
    """What is bound to an instance in the place of a plain method; it pickles as that, and needs nothing of ours then.

    It does what ``call_sync`` does. A method is called far more often than any other callable, and this takes half the
    time of a wrapper that is bound.
    """

    def __init__(self, handler: Handler, original: Callable[..., Any]) -> None:
        functools.update_wrapper(self, original)
        self._begin = handler.begin
        self._original = original

    def __reduce__(self) -> tuple[Any, ...]:
        return copy.copy, (self._original,)

    def __call__(self, instance: Any, /, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Call the method."""
        under_way = self._begin(instance, arguments, keyword_arguments)
        if under_way is None:
            return self._original(instance, *arguments, **keyword_arguments)
        try:
            result = self._original(instance, *arguments, **keyword_arguments)
        except BaseException as error:
            under_way.fail(error)
            raise
        under_way.finish(result)
        return result


class FailureNotingCall:
    """The same of a method of which nothing but its failure is noted: until it fails, it is called and no more."""

    def __init__(
        self, note: Callable[[Any, tuple[Any, ...], BaseException], None], original: Callable[..., Any]
    ) -> None:
        functools.update_wrapper(self, original)
        self._note = note
        self._original = original

    def __reduce__(self) -> tuple[Any, ...]:
        return copy.copy, (self._original,)

    def __call__(self, instance: Any, /, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Call the method."""
        try:
            return self._original(instance, *arguments, **keyword_arguments)
        except BaseException as error:
            self._note(instance, arguments, error)
            raise
