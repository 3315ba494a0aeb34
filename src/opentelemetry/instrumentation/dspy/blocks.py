"""Blocks of the application's code that add something to all DSPy calls inside: a total, attributes, a conversation.

A block stands in the OpenTelemetry Context, which is carried to other threads, and in a context variable of its own.
Frameworks attach and detach Contexts around what the application enters (FastAPI does, around each dependency), and a
block must outlive that. Each call says which blocks it lies in, so that none counts twice.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .labels.given import GIVEN, joined_labels
from .slots import Slot
from .usage import SCOPE, joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

    from .labels.given import GivenLabels
    from .usage import UsageScope

__all__ = ["ATTRIBUTES", "CONVERSATION_ID", "INNERMOST_BLOCK", "Block", "lies_in", "still_open"]

CONVERSATION_ID: Final = Slot[str]("conversation id")
"""The application's own, stable for one conversation."""

ATTRIBUTES: Final = Slot["Mapping[str, AttributeValue]"]("attributes")
"""What the application wants to stand on every span inside."""


@dataclass(slots=True, eq=False)
class Block:
    """What the code inside is given, by this block and by those around it."""

    scope: UsageScope | None
    conversation_id: str | None
    attributes: Mapping[str, AttributeValue]
    outer: Block | None
    is_left: bool = False
    is_lost: bool = False
    """Whether it was left in another context than it was entered in, where it stays for good.

    A generator is, if the garbage collector or another task closes it.
    """
    labels: GivenLabels | None = None
    """What stands on the metric points of the calls inside."""

    def added_to(self, kept: Mapping[Slot[Any], Any]) -> dict[Slot[Any], Any]:
        """Return what is kept with a call in the block, given what is kept with the call around it."""
        inside = {**kept, SCOPE: joined(self.scope, kept.get(SCOPE))}
        if self.conversation_id is not None:
            inside[CONVERSATION_ID] = self.conversation_id
        if self.attributes:
            inside[ATTRIBUTES] = {**kept.get(ATTRIBUTES, {}), **self.attributes}
        if self.labels is not None:
            inside[GIVEN] = joined_labels(kept.get(GIVEN), self.labels)
        return inside


INNERMOST_BLOCK: ContextVar[Block | None] = ContextVar("opentelemetry.instrumentation.dspy.block", default=None)


def lies_in(block: Block | None, other: Block) -> bool:
    """Return whether the other block is this one, or around it."""
    while block is not None and block is not other:
        block = block.outer
    return block is not None


def still_open(block: Block | None) -> Block | None:
    """Return the innermost block, of this one and those around it, that goes on."""
    while block is not None and (block.is_left or block.is_lost):
        block = block.outer
    return block
