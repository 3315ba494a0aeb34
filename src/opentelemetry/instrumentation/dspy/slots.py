"""What rooms keep with a call that is under way: each declares its own slots, with the type that is kept there.

    EVALUATION = Slot[Evaluation]("evaluation")

What is kept in a ``Slot`` is there for the call and for all calls inside, in an ``OwnSlot`` for the call alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Keeper", "OwnSlot", "Slot"]

Kept = TypeVar("Kept")


class Keeper(Protocol):
    """A record of a call."""

    kept: Mapping[Slot[Any], Any]
    """What it shares with the calls around it: never changed in place."""
    own: dict[OwnSlot[Any], Any] | None
    """What is its own; most calls have nothing."""


class Slot(Generic[Kept]):
    """What one room keeps with a call and with all calls inside."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"Slot({self._name!r})"

    def of(self, call: Keeper) -> Kept | None:
        """Return what is kept with a call, ``None`` where nothing is."""
        kept: Kept | None = call.kept.get(self)
        return kept

    def put(self, call: Keeper, value: Kept | None) -> None:
        """Keep something with a call, and with those that begin inside from now on."""
        call.kept = {**call.kept, self: value}


class OwnSlot(Generic[Kept]):
    """What one room keeps with a call alone."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"OwnSlot({self._name!r})"

    def of(self, call: Keeper | None) -> Kept | None:
        """Return what is kept with a call, ``None`` where nothing is."""
        return None if call is None or call.own is None else call.own.get(self)

    def put(self, call: Keeper, value: Kept | None) -> None:
        """Keep something with a call."""
        if call.own is None:
            call.own = {self: value}
        else:
            call.own[self] = value
