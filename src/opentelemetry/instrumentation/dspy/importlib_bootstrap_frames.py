"""The frames that stand between a caller and DSPy, in a file whose name makes ``warnings`` look past them.

``warnings.warn(..., stacklevel=2)`` counts frames to find the line of the program that a warning is about. If it found
ours, Python's default filter, which shows a ``DeprecationWarning`` to the program's own file alone, would drop it.
Frames whose file name has "importlib" and "_bootstrap" in it are not counted (``is_internal_frame`` in CPython's
``Python/_warnings.c``, ``_is_internal_frame`` in its ``warnings.py``, since Python 3.3): a call through the import
system is no more a caller than a call through us. Tracebacks show these frames as any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .calls import Recording

__all__ = ["call_async", "call_sync"]


class Handler(Protocol):
    """Whoever is to record calls."""

    def begin(self, instance: Any, arguments: tuple[Any, ...], keyword_arguments: dict[str, Any]) -> Recording | None:
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
