"""What happens around one call of an instrumented callable: begin, the call itself, finish or fail."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import get_current_span

from .calls import Call, Recorder, Recording
from .context import attach, call_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .complaints import Complaints

__all__ = ["CallHandler", "Switch"]


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

    def call_sync(
        self,
        wrapped: Callable[..., Any],
        instance: Any,
        arguments: tuple[Any, ...],
        keyword_arguments: dict[str, Any],
    ) -> Any:
        """Call a plain function."""
        recording = self._begin(instance, arguments, keyword_arguments)
        if recording is None:
            return wrapped(*arguments, **keyword_arguments)
        try:
            result = wrapped(*arguments, **keyword_arguments)
        except BaseException as error:
            self._tell(recording.fail, error)
            raise
        self._tell(recording.finish, result)
        return result

    async def call_async(
        self,
        wrapped: Callable[..., Awaitable[Any]],
        instance: Any,
        arguments: tuple[Any, ...],
        keyword_arguments: dict[str, Any],
    ) -> Any:
        """Call and await a coroutine function."""
        recording = self._begin(instance, arguments, keyword_arguments)
        if recording is None:
            return await wrapped(*arguments, **keyword_arguments)
        try:
            result = await wrapped(*arguments, **keyword_arguments)
        except BaseException as error:
            self._tell(recording.fail, error)
            raise
        self._tell(recording.finish, result)
        return result

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

    def _begin(self, instance: Any, arguments: tuple[Any, ...], keyword_arguments: dict[str, Any]) -> Recording | None:
        context = get_current()
        active = call_in(context)
        if (
            active.instance is instance
            and instance is not None
            and not self.within_call
            and (active.attribute != self.attribute or active.owner is not self.owner())
        ):
            # An override that called super(), or acall that delegates to __call__: the same call goes on.
            return None
        if not (self.switch.on and is_instrumentation_enabled()):
            return None
        try:
            return self.recorder.begin(Call(instance, self.owner(), self.attribute, arguments, keyword_arguments))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here is ours, and the call must go on
            left_open = get_current_span()
            attach(context)
            if left_open is not get_current_span():
                left_open.end()
            self.complaints.about(self.recorder, error)
            return None

    def _tell(self, note: Callable[[Any], None], what: Any) -> None:
        try:
            note(what)
        except Exception as error:  # noqa: BLE001 - as above
            self.complaints.about(self.recorder, error)
