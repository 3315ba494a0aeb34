"""What a recorder of calls is, and what it makes of one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..context import Call

__all__ = ["Noter", "Recorder", "Recording", "keyword_view"]


class Recording:
    """What a recorder made of one call: it takes note of the call's end, which is all that a recorder fills in.

    What was opened for the call (``openings``) ends after that, and the context is the one before, whatever was raised.
    """

    __slots__ = ()

    def finish(self, result: Any) -> None:
        """Take note of what the call returned."""

    def fail(self, error: BaseException) -> None:
        """Take note of the exception that ended the call."""

    def end(self, error: BaseException | None) -> None:
        """Take note of what there is to say at any end, also where one of the others failed."""


class Recorder(Protocol):
    """Turns calls of one DSPy concept into telemetry.

    One that has ``concerns(caller, arguments)`` is asked by it first, before there is a record of the call.
    """

    def begin(self, call: Call) -> Recording | None:
        """Start to record a call; ``None`` where there is nothing to do at its end."""


class Noter:
    """Takes note, for the call around, of what one of DSPy's functions is given, returns or raises.

    It opens nothing and keeps nothing of its own from the beginning to the end: such calls are many, and cost little.
    """

    __slots__ = ()

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Take note of what the function is given, positional and by name."""

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Take note of what it returned."""

    def raised(self, around: Call, instance: Any, arguments: tuple[Any, ...], error: BaseException) -> None:
        """Take note of the exception that ended it."""


def keyword_view(names: tuple[str, ...], call: Call) -> Mapping[str, Any]:
    """Return the call's arguments by name, positional ones named in the order given."""
    return {**dict(zip(names, call.arguments, strict=False)), **call.keyword_arguments}
