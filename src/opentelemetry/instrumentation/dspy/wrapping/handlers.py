"""What happens around one call of an instrumented callable: begin, the call itself, finish or fail, and the end."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from os import getpid
from threading import get_ident
from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current

from ..blocks import INNERMOST_BLOCK
from ..budgets.edges import come_out_of_outermost_call
from ..budgets.enforcement import BOUNDS
from ..budgets.stop import BudgetStop
from ..context import CALL_KEY, NO_CALL, Call, current_call
from ..openings import abandon, end_openings
from .importlib_bootstrap_frames import TracedCall, call_async, call_async_generator, call_generator, call_sync
from .switches import SUPPRESSED, SUPPRESSED_PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..blocks import Block
    from .calls import Recorder, Recording
    from .complaints import Complaints
    from .switches import Switch

__all__ = ["CallHandler", "RecordedCall"]


@dataclass(slots=True)
class CallHandler:
    """The handler of one callable, in the form that ``wrapt`` calls."""

    recorder: Recorder
    owner: Callable[[], object | None]
    """Returns the class, or Python module, that the callable stands in."""
    attribute: str
    within_call: bool
    """Whether an object calls it on itself while its own call runs: then the call is not one that goes on (super)."""
    switch: Switch
    complaints: Complaints
    concerns: Callable[[Call, tuple[Any, ...]], bool] | None = None
    """Says, of the caller and the positional arguments, whether the recorder has anything to do with a call."""

    def __post_init__(self) -> None:
        self.concerns = getattr(self.recorder, "concerns", None)

    def around(self, original: Any, *, deferred: bool = False) -> Callable[..., Any]:
        """Return the handler for a plain function, for one that works later, or for one that stands in for one."""
        if inspect.isgeneratorfunction(original):
            return self.call_generator
        if inspect.isasyncgenfunction(original):
            return self.call_async_generator
        if deferred:
            return self.call_deferred
        return self.call_async if inspect.iscoroutinefunction(original) else self.call_sync

    def method(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that stands in the place of a method of instances."""
        return TracedCall(self, original)

    call_sync = call_sync
    call_async = call_async
    call_generator = call_generator
    call_async_generator = call_async_generator

    def call_deferred(
        self,
        wrapped: Callable[..., Any],
        instance: Any,
        arguments: tuple[Any, ...],
        keyword_arguments: dict[str, Any],
    ) -> Any:
        """Call a plain function that stands in for a coroutine function: what it hands out does the work later."""
        handed_out = wrapped(*arguments, **keyword_arguments)
        if not inspect.iscoroutine(handed_out):
            return handed_out

        async def hand_on(*_: Any, **__: Any) -> Any:
            return await handed_out

        return self.call_async(hand_on, instance, arguments, keyword_arguments)

    def begin(
        self, instance: Any, arguments: tuple[Any, ...], keyword_arguments: dict[str, Any]
    ) -> RecordedCall | None:
        """Begin to record a call; ``None`` where it is not to be recorded."""
        context = get_current()
        if not self.switch.on:
            return None
        # Mostly the Context has neither, which is soon seen.
        if (SUPPRESSED in context or SUPPRESSED_PLAIN in context) and (
            context.get(SUPPRESSED) or context.get(SUPPRESSED_PLAIN)
        ):
            return None
        owner = self.owner()
        caller: Call = context.get(CALL_KEY, NO_CALL)  # type: ignore[assignment]
        if caller.block is not None or INNERMOST_BLOCK.get() is not None:
            caller = current_call(context)
        if caller.instance is instance and not self.within_call and caller.goes_on_in(instance, owner, self.attribute):
            # An override that called super(), or acall that delegates to __call__: the same call goes on.
            return None
        if self.concerns is not None and not self.concerns(caller, arguments):
            return None
        call = RecordedCall(instance, owner, self.attribute, arguments, keyword_arguments, caller)
        if BOUNDS.are_set:
            call.place = getpid(), get_ident()
        try:
            recording = self.recorder.begin(call)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here is ours, and the call must go on
            abandon(call, context)
            self.complaints.about(self.recorder, error)
            return None
        except BaseException as error:
            abandon(call, context)
            if isinstance(error, BudgetStop):
                come_out_of_outermost_call(error)
            raise
        # It has told what it knows, and a recording that holds its call would be left to the garbage collector.
        call.teller = None
        if call.failures is not None:
            for failure in call.failures:
                self.complaints.about(self.recorder, failure)
        if recording is None:
            return None
        call.handler, call.recording = self, recording
        return call


class RecordedCall(Call):
    """One recorded call, from its beginning to its end.

    After its end nothing that it opened is open, and the context is the one before. Our exceptions stay here, except
    one that is no ``Exception``: Ctrl-C, or what a signal handler of the application raised, is meant for the program.
    """

    handler: CallHandler
    recording: Recording | None = None
    """Let go of at the end: it holds the call, and both would be left to the garbage collector."""

    def with_block(self, block: Block) -> Call:
        """Return the record of the same call in a block, which answers for no end."""
        same = Call.with_block(self, block)
        if isinstance(same, RecordedCall):
            same.recording = None
        return same

    def finish(self, result: Any) -> None:
        """Record what the call returned."""
        recording, self.recording = self.recording, None
        if recording is None:
            return
        try:
            try:
                recording.finish(result)
            finally:
                try:
                    recording.end(None)
                finally:
                    if self.opened is not None:
                        end_openings(self, None)
        except Exception as failure:  # noqa: BLE001 - as above
            self.handler.complaints.about(self.handler.recorder, failure)

    def fail(self, error: BaseException) -> None:
        """Record the exception that ended the call."""
        recording, self.recording = self.recording, None
        if recording is None:
            return
        try:
            try:
                recording.fail(error)
            finally:
                try:
                    recording.end(error)
                finally:
                    if self.opened is not None:
                        end_openings(self, error)
        except Exception as failure:  # noqa: BLE001 - as above
            self.handler.complaints.about(self.handler.recorder, failure)
        if isinstance(error, BudgetStop):
            come_out_of_outermost_call(error)
