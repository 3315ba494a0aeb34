"""What happens around one call that is only taken note of, for the call around it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current

from ..budgets.edges import come_out_of_outermost_call
from ..budgets.stop import BudgetStop
from ..context import call_in
from .calls import Noter
from .importlib_bootstrap_frames import FailureNotingCall, TracedCall, call_async, call_sync
from .switches import SUPPRESSED, SUPPRESSED_PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..context import Call
    from .complaints import Complaints
    from .switches import Switch

__all__ = ["NoteHandler"]


@dataclass(slots=True)
class NoteHandler:
    """The handler of one callable that is taken note of, in the form that ``wrapt`` calls.

    Our exceptions stay here, except one that is no ``Exception``: Ctrl-C and the stop of a budget are meant for
    the program.
    """

    noter: Noter
    switch: Switch
    complaints: Complaints
    notes_before: bool
    notes_end: bool
    notes_success: bool
    """Whether there is anything to do where the call does not fail."""

    @classmethod
    def of(cls, noter: Noter, switch: Switch, complaints: Complaints) -> NoteHandler:
        """Return the handler that asks a noter for what it takes note of."""
        kind = type(noter)
        notes_before, notes_returned = kind.before is not Noter.before, kind.returned is not Noter.returned
        notes_end = notes_returned or kind.raised is not Noter.raised
        return cls(noter, switch, complaints, notes_before, notes_end, notes_before or notes_returned)

    call_sync = call_sync
    call_async = call_async

    def method(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that stands in the place of a method of instances."""
        return TracedCall(self, original) if self.notes_success else FailureNotingCall(self.failed, original)

    def around(self, original: Any, *, deferred: bool = False) -> Callable[..., Any]:
        """Return the handler for a plain function, or for one that is a coroutine function."""
        return self.call_async if inspect.iscoroutinefunction(original) else self.call_sync

    def failed(self, instance: Any, arguments: tuple[Any, ...], error: BaseException) -> None:
        """Take note of the exception that ended a call of which nothing else is noted."""
        noted = self.begin(instance, arguments, {})
        if noted is not None:
            noted.fail(error)

    def begin(self, instance: Any, arguments: tuple[Any, ...], keyword_arguments: dict[str, Any]) -> NotedCall | None:
        """Take note of a call that begins; ``None`` where nothing is to be noted at its end."""
        context = get_current()
        if not self.switch.on:
            return None
        # Mostly the Context has neither, which is soon seen.
        if (SUPPRESSED in context or SUPPRESSED_PLAIN in context) and (
            context.get(SUPPRESSED) or context.get(SUPPRESSED_PLAIN)
        ):
            return None
        around = call_in(context)
        if self.notes_before:
            try:
                self.noter.before(around, instance, arguments, keyword_arguments)
            except BudgetStop as stop:
                come_out_of_outermost_call(stop)
                raise
            except Exception as failure:  # noqa: BLE001 - whatever goes wrong here is ours, and the call must go on
                self.complaints.about(self.noter, failure)
        return NotedCall(self, around, instance, arguments) if self.notes_end else None


@dataclass(slots=True)
class NotedCall:
    """One call that is taken note of, until it ends."""

    handler: NoteHandler
    around: Call
    instance: Any
    arguments: tuple[Any, ...]

    def finish(self, result: Any) -> None:
        """Take note of what the call returned."""
        try:
            self.handler.noter.returned(self.around, self.instance, self.arguments, result)
        except Exception as failure:  # noqa: BLE001 - as above
            self.handler.complaints.about(self.handler.noter, failure)

    def fail(self, error: BaseException) -> None:
        """Take note of the exception that ended the call."""
        try:
            self.handler.noter.raised(self.around, self.instance, self.arguments, error)
        except Exception as failure:  # noqa: BLE001 - as above
            self.handler.complaints.about(self.handler.noter, failure)
