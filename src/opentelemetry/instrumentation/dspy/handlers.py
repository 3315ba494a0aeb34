"""What happens around one call of an instrumented callable: begin, the call itself, finish or fail."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from .calls import Call, Recorder, Recording
from .context import current_call
from .importlib_bootstrap_frames import call_async, call_sync
from .openings import Openings

if TYPE_CHECKING:
    from collections.abc import Callable

    from .complaints import Complaints

__all__ = ["CallHandler", "CallUnderWay", "Switch"]


@dataclass(slots=True)
class Switch:
    """Whether calls are recorded; wrappers that could not be taken out look here."""

    on: bool = False


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

    def around(self, original: Any) -> Callable[..., Any]:
        """Return the handler for a plain function, or for one that is a coroutine function."""
        return self.call_async if inspect.iscoroutinefunction(original) else self.call_sync

    call_sync = call_sync
    call_async = call_async

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
    ) -> CallUnderWay | None:
        """Begin to record a call; ``None`` where it is not to be recorded."""
        active = current_call()
        if (
            active.instance is instance
            and instance is not None
            and not self.within_call
            and not (active.steps is not None and self.attribute in active.steps)
            and (active.attribute != self.attribute or active.owner is not self.owner())
        ):
            # An override that called super(), or acall that delegates to __call__: the same call goes on.
            return None
        if not (self.switch.on and is_instrumentation_enabled()):
            return None
        openings = Openings()
        try:
            call = Call(instance, self.owner(), self.attribute, arguments, keyword_arguments)
            recording = openings.begin(self.recorder.begin, call)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here is ours, and the call must go on
            self.complaints.about(self.recorder, error)
            return None
        for failure in openings.failures:
            self.complaints.about(self.recorder, failure)
        return None if recording is None else CallUnderWay(self, recording, openings)


@dataclass(slots=True)
class CallUnderWay:
    """One recorded call, from its beginning to its end.

    After its end nothing that it opened is open, and the context is the one before. Our exceptions stay here, except
    one that is no ``Exception``: Ctrl-C, or what a signal handler of the application raised, is meant for the program.
    """

    handler: CallHandler
    recording: Recording
    openings: Openings

    def finish(self, result: Any) -> None:
        """Record what the call returned."""
        self._end(self.recording.finish, result, None)

    def fail(self, error: BaseException) -> None:
        """Record the exception that ended the call."""
        self._end(self.recording.fail, error, error)

    def _end(self, tell: Callable[[Any], None], what: Any, error: BaseException | None) -> None:
        try:
            try:
                tell(what)
            finally:
                self.openings.end(error)
        except Exception as failure:  # noqa: BLE001 - as above
            self.handler.complaints.about(self.handler.recorder, failure)
