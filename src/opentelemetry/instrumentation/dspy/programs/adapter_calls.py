"""One adapter call under way, and what went wrong in it so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..slots import OwnSlot, Slot

if TYPE_CHECKING:
    from .running_modules import RunningModule

__all__ = ["ADAPTER_CALL", "ADAPTER_NAME", "AdapterCall"]


class AdapterCall:
    """One adapter call under way, and what went wrong in it so far."""

    schema_error: BaseException | None = None
    """Why it could not build a schema, until it goes on without one."""
    has_prompted: bool = False
    """Whether it has sent a prompt."""
    handled_at_first_prompt: BaseException | None = None
    """The exception that it was handling when it sent the first one, if any: no prompt of its own had failed yet."""

    def __init__(self, name: str, signature: Any, module: RunningModule | None, handled: BaseException | None) -> None:
        self.name = name
        self.signature = signature
        self.module = module
        """The module that called it: its span gets the events."""
        self.handled = handled
        """The exception that the program was handling when the call began, if any."""
        self.parse_errors: list[BaseException] = []
        self.fallbacks: list[BaseException] = []
        """Exceptions that were told of already, as one or the other: each passes several places on its way, and the
        adapters that an adapter calls."""


ADAPTER_NAME: Final = Slot[str]("adapter name")
"""The adapter that writes the prompts of the calls inside."""

ADAPTER_CALL: Final = OwnSlot[AdapterCall]("adapter call")
"""The adapter call that a call is."""
