"""A mapping from objects to values that keeps no object alive and asks none to be hashable."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WeakIdentityMap"]

Value = TypeVar("Value")


class WeakIdentityMap(Generic[Value]):
    """Values for objects by identity.

    DSPy's modules, signatures and predictions define equality in ways that forbid them as keys of a
    ``WeakKeyDictionary``. Objects that cannot be referenced weakly are not kept.
    """

    __slots__ = ("__weakref__", "_entries", "_owner")

    def __init__(self) -> None:
        self._entries: dict[int, _Entry[Value]] = {}
        self._owner = weakref.ref(self)

    def get(self, key: object) -> Value | None:
        """Return the object's value, ``None`` where it has none."""
        try:
            entry = self._entries[id(key)]
        except KeyError:
            return None
        return entry.value if entry() is key else None

    def set(self, key: object, value: Value) -> None:
        """Keep a value for as long as the object lives."""
        entry = self._entries.get(id(key))
        if entry is not None and entry() is key:
            entry.value = value
            return
        try:
            entry = _Entry(key, _forget)
        except TypeError:
            return
        entry.value, entry.identity, entry.owner = value, id(key), self._owner
        self._entries[id(key)] = entry

    def drop(self, key: object) -> None:
        """Forget the object's value, if it has one."""
        entry = self._entries.get(id(key))
        if entry is not None and entry() is key:
            self._entries.pop(id(key), None)

    def __len__(self) -> int:
        return len(self._entries)


class _Entry(weakref.ref[object], Generic[Value]):
    """A weak reference with the value of the object, which takes itself out of its map when that is gone."""

    __slots__ = ("identity", "owner", "value")

    value: Value
    identity: int
    owner: Callable[[], WeakIdentityMap[Value] | None]


def _forget(entry: Any) -> None:
    owner = entry.owner()
    if owner is not None and owner._entries.get(entry.identity) is entry:
        del owner._entries[entry.identity]
