"""A call of DSPy as a recorder sees it, and what a recorder is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Call", "Recorder", "Recording", "keyword_view"]


@dataclass(slots=True)
class Call:
    """One call of an instrumented callable, as a recorder sees it."""

    instance: Any
    owner: object
    """The class, or the Python module, in whose own ``__dict__`` the callable stands."""
    attribute: str
    arguments: tuple[Any, ...]
    keyword_arguments: dict[str, Any]


class Recording(Protocol):
    """What a recorder made of one call; exactly one of the two methods is called, in the context of ``begin``."""

    def finish(self, result: Any) -> None:
        """Take note of what the call returned."""

    def fail(self, error: BaseException) -> None:
        """Take note of the exception that ended the call."""


class Recorder(Protocol):
    """Turns calls of one DSPy concept into telemetry."""

    def begin(self, call: Call) -> Recording | None:
        """Start to record a call; ``None`` where there is nothing to do at its end."""


def keyword_view(names: tuple[str, ...], call: Call) -> Mapping[str, Any]:
    """Return the call's arguments by name, positional ones named in the order given."""
    return {**dict(zip(names, call.arguments, strict=False)), **call.keyword_arguments}
