"""One adapter call under way, and what went wrong in it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .running_modules import RunningModule

__all__ = ["AdapterCall"]


@dataclass(slots=True)
class AdapterCall:
    """One adapter call under way, and what went wrong in it so far."""

    name: str
    signature: Any
    module: RunningModule | None
    """The module that called it: its span gets the events."""
    handled: BaseException | None
    """The exception that the program was handling when the call began, if any."""
    schema_error: BaseException | None = None
    """Why it could not build a schema, until it goes on without one."""
    parse_errors: list[BaseException] = field(default_factory=list)
    fallbacks: list[BaseException] = field(default_factory=list)
    """Exceptions that were told of already, as one or the other: each passes several places on its way, and the
    adapters that an adapter calls."""
