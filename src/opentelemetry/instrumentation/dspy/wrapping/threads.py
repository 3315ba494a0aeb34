"""Thread pools for DSPy's own modules: what they run belongs to the trace of the call that submitted it.

Only the OpenTelemetry Context goes along. DSPy carries its settings to its threads in ways of its own, which differ
from one pool to another, and which a copy of all context variables would change.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..blocks import INNERMOST_BLOCK
from ..context import attach, call_in, current_call, current_context, detach, with_call
from ..slots import OwnSlot

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from opentelemetry.context import Context

__all__ = ["STRAGGLER", "ContextThreadPoolExecutor", "ItemThreadPoolExecutor"]

STRAGGLER: Final = OwnSlot[bool]("straggler")
"""Whether what runs directly inside a call is the second run of an item that took too long."""

Result = TypeVar("Result")

_ITEM_INDEX = 2
"""Where ``ParallelExecutor`` has the item's index: ``submit(worker, parent_overrides, submission, index, item)``."""


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A pool whose threads work in the OpenTelemetry Context in which the work was submitted."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Submit a call as the standard pool does."""
        return self.submit_in(current_context(), fn, *args, **kwargs)

    def submit_in(self, context: Context, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Submit a call that runs in the given OpenTelemetry Context."""
        return super().submit(_run_in, context, fn, *args, **kwargs)


class ItemThreadPoolExecutor(ContextThreadPoolExecutor):
    """The pool of one ``ParallelExecutor``, which submits an item a second time when it takes too long."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._submitted: set[object] = set()

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Submit an item's run; the second one of the same item is marked in its Context."""
        context = current_context()
        index = args[_ITEM_INDEX] if len(args) > _ITEM_INDEX else None
        if isinstance(index, int):
            if index in self._submitted:
                call = current_call()
                straggler = copy.copy(call)
                straggler.own = {**(call.own or {})}
                STRAGGLER.put(straggler, True)
                context = with_call(straggler)
            self._submitted.add(index)
        return self.submit_in(context, fn, *args, **kwargs)


def _run_in(context: Context, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Result:
    # The block of whoever made this thread, which some Pythons hand down, need not be that of the work.
    token, block_token = attach(context), INNERMOST_BLOCK.set(call_in(context).block)
    try:
        return fn(*args, **kwargs)
    finally:
        detach(token)
        INNERMOST_BLOCK.reset(block_token)
