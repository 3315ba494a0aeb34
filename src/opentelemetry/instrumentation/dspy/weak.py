"""A mapping from objects to values that keeps no object alive and asks none to be hashable."""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar

__all__ = ["WeakIdentityMap"]

Value = TypeVar("Value")


class WeakIdentityMap(Generic[Value]):
    """Values for objects by identity.

    DSPy's modules, signatures and predictions define equality in ways that forbid them as keys of a
    ``WeakKeyDictionary``. Objects that cannot be referenced weakly are not kept.
    """

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[object], Value]] = {}

    def get(self, key: object) -> Value | None:
        """Return the object's value, ``None`` where it has none."""
        entry = self._entries.get(id(key))
        return entry[1] if entry is not None and entry[0]() is key else None

    def set(self, key: object, value: Value) -> None:
        """Keep a value for as long as the object lives."""
        identity, entries = id(key), self._entries

        def forget(reference: weakref.ref[object]) -> None:
            entry = entries.get(identity)
            if entry is not None and entry[0] is reference:
                del entries[identity]

        try:
            entries[identity] = (weakref.ref(key, forget), value)
        except TypeError:
            return

    def drop(self, key: object) -> None:
        """Forget the object's value, if it has one."""
        entry = self._entries.get(id(key))
        if entry is not None and entry[0]() is key:
            self._entries.pop(id(key), None)

    def __len__(self) -> int:
        return len(self._entries)
