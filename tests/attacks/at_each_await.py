"""A coroutine that is ended from outside at one of its awaits: cancelled, closed or interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

__all__ = ["EndedAt"]

Result = TypeVar("Result")


class EndedAt(Generic[Result]):
    """Awaits a coroutine, and throws an exception into it when it waits for the given time, counted from zero.

    An event loop does the same when it cancels a task, but at whatever await the task has come to by then.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Result], number: int, error: BaseException) -> None:
        self._coroutine = coroutine
        self._number = number
        self._error = error
        self.was_thrown = False

    def __await__(self) -> Generator[Any, Any, Result]:
        step, number = self._coroutine.send, 0
        value: Any = None
        while True:
            try:
                waiting_for = step(value)
            except StopIteration as ended:
                return ended.value  # type: ignore[no-any-return]
            if number == self._number:
                self.was_thrown = True
                if hasattr(waiting_for, "cancel"):
                    # As the event loop does: what is waited for is not wanted any more.
                    waiting_for.cancel()
                step, value = self._coroutine.throw, self._error
            else:
                try:
                    value = yield waiting_for
                    step = self._coroutine.send
                except BaseException as error:  # noqa: BLE001 - handed on to the coroutine
                    step, value = self._coroutine.throw, error
            number += 1
