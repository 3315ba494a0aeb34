"""The Context inside a generator whose call is recorded.

A generator runs in the Context of whoever asks it for a value. Were its span the current one there, what the program
does between two values would lie below it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current

from ..blocks import INNERMOST_BLOCK
from ..context import attach, detach

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

__all__ = ["OwnContext", "ask_first"]


class OwnContext:
    """Current while the generator runs, and as the generator left it when it goes on."""

    __slots__ = ("_block", "_context", "_tokens")

    def __init__(self) -> None:
        self._context = get_current()
        self._block = INNERMOST_BLOCK.get()

    def __enter__(self) -> None:
        self._tokens: Any = attach(self._context), INNERMOST_BLOCK.set(self._block)

    def __exit__(self, *_: object) -> None:
        self._context, self._block = get_current(), INNERMOST_BLOCK.get()
        for token in self._tokens:
            detach(token)


def ask_first(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Ask an asynchronous generator for its first value, unseen by the event loop.

    A loop closes, at its end, the generators that it has seen begin. It sees ours, which closes this one.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)
