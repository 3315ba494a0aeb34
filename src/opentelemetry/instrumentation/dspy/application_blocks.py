"""Blocks that an application opens by ``with``, or around each call of a function that they decorate.

``contextlib`` closes a block where the function returns, and a coroutine function returns before any of its work is
done: its bounds would hold for nothing, without a word.
"""

from __future__ import annotations

import functools
import inspect
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from .reading import is_coroutine_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

__all__ = ["ApplicationBlock", "application_block"]

Given = ParamSpec("Given")
Yielded = TypeVar("Yielded")
Function = TypeVar("Function", bound="Callable[..., Any]")


def application_block(open_block: Callable[Given, Iterator[Yielded]]) -> Callable[Given, ApplicationBlock[Yielded]]:
    """Make a block of a generator function that yields once, as ``contextlib.contextmanager`` does."""
    opened = contextmanager(open_block)

    @functools.wraps(open_block)
    def block(*arguments: Given.args, **named: Given.kwargs) -> ApplicationBlock[Yielded]:
        return ApplicationBlock(open_block.__name__, functools.partial(opened, *arguments, **named))

    return block


class ApplicationBlock(AbstractContextManager[Yielded], Generic[Yielded]):
    """A block that is entered once by ``with``, or anew for each call of what it decorates."""

    def __init__(self, name: str, make: Callable[[], AbstractContextManager[Yielded]]) -> None:
        self._name = name
        self._make = make
        self._entered = make()

    def __enter__(self) -> Yielded:
        """Enter it."""
        return self._entered.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        """Leave it."""
        return self._entered.__exit__(kind, error, traceback)

    def __call__(self, function: Function) -> Function:
        """Return a function that runs inside the block; of a coroutine function one that is awaited there.

        Raises ``TypeError`` for a generator function: what it does between two values is not inside of any call.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{self._name} cannot decorate a generator, which runs after its call has returned: open it inside, "
                f"by `with {self._name}(...):`."
            )
        decorated: Any = self._around_coroutine(function) if is_coroutine_function(function) else self._around(function)
        return functools.wraps(function)(decorated)  # type: ignore[return-value]

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            with self._make():
                return function(*arguments, **named)

        return call

    def _around_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            with self._make():
                return await function(*arguments, **named)

        return call
