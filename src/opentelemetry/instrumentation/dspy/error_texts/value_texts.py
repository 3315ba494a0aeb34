"""The texts in values, as they may stand in the text of an error: all of them, or none is known for sure."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import ItemsView, Iterable, KeysView, Mapping, ValuesView
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import PurePath
from types import MemberDescriptorType, ModuleType
from typing import Any
from uuid import UUID

from ..reading import is_kind, read
from .common_words import PROTOCOL_VALUES, PROTOCOL_WORDS

__all__ = ["texts_in"]

MAX_VALUES = 50_000
"""Values of one search. Where there are more, nobody knows which of them a text quotes."""

MAX_OBJECTS = 4_000
"""Objects that are no data, and what they hold: a way through them leads to all that the program has."""

MAX_LEVELS = 6
"""Objects inside one another that are looked at, if they are no data."""

MAX_BYTES = 65_536
"""Of bytes that are no text."""

_LISTS = (list, tuple, set, frozenset, deque, KeysView, ValuesView, ItemsView)

_WRITTEN_OUT = (date, time, timedelta, Decimal, Fraction, complex, UUID, PurePath)

_CODE = (type, ModuleType)

_NAMES_OF_FIELDS = "__pydantic_fields_set__"
"""Names that stand in the program, and no values."""


def texts_in(values: Iterable[Any]) -> list[str] | None:
    """Return the texts in values, also of numbers and dates, ``None`` where there is more than can be looked at."""
    search = _Search()
    search.waiting.extend(values)
    while search.waiting:
        if search.left <= 0:
            return None
        search.left -= 1
        search.look_at(search.waiting.popleft())
    search.look_into_objects()
    return search.found


@dataclass(slots=True)
class _Search:
    """One search for texts: through data as far as it goes, and then through objects as far as there is reason to."""

    found: list[str] = field(default_factory=list)
    left: int = MAX_VALUES
    waiting: deque[Any] = field(default_factory=deque)
    """Data that is not looked at yet."""
    objects: list[Any] = field(default_factory=list)
    """What was come upon that is no data."""
    seen: dict[int, Any] = field(default_factory=dict)
    """What holds others, by identity; kept, so that nothing else has the identity meanwhile."""
    members: dict[type, list[MemberDescriptorType]] = field(default_factory=dict)

    def look_at(self, value: Any) -> None:
        """Take the texts of a value, or note its parts."""
        # By its own type: a dead weak proxy raises when it is asked for its class, which is to hide nothing beside it.
        if value is None or is_kind(value, bool, *_CODE):
            return
        try:
            if is_kind(value, str):
                self.found.append(str.__str__(value))
            elif is_kind(value, int, float):
                self.found.append(str(value))
            elif is_kind(value, bytes, bytearray, memoryview):
                self.found.append(_text_of_bytes(bytes(value)))
            elif is_kind(value, *_WRITTEN_OUT) or _module_of(value) == "ipaddress":
                # As it is, and the arguments that it could be made with again.
                self.found += (str(value), repr(value).partition("(")[2].rpartition(")")[0])
            elif id(value) not in self.seen:
                self.seen[id(value)] = value
                self._look_into(value)
        except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
            return

    def _look_into(self, value: Any) -> None:
        if isinstance(value, Mapping):
            entries = islice(value.items(), self.left + 1)
            parts = (part for name, inner in entries for part in (name, inner) if not _is_of_protocol(part, name))
            self.waiting.extend(parts)
        elif is_kind(value, *_LISTS):
            self.waiting.extend(islice(value, self.left + 1))
        elif is_kind(store := read(value, "_store"), dict):  # DSPy's examples and predictions
            self.waiting.extend(islice(dict.values(store), self.left + 1))
        elif _is_data(value):
            self.waiting.extend(self._attributes(value))
        elif read(type(value), "__array__") is not None:
            self._look_into_array(value)
        else:
            self.objects.append(value)

    def _look_into_array(self, value: Any) -> None:
        """NumPy's, and what NumPy takes for one: a table of pandas, a column."""
        array = sys.modules["numpy"].asarray(value)
        if array.size > self.left:
            self.left = 0
        self.waiting.extend(array.ravel().tolist())
        self.waiting.extend(part for name in ("columns", "index") if (part := read(value, name)) is not None)

    def look_into_objects(self) -> None:
        """Take the texts that objects hold, level by level."""
        self.left = MAX_OBJECTS
        for _ in range(MAX_LEVELS):
            objects, self.objects = self.objects, []
            self.waiting.extend(part for each in objects for part in self._attributes(each))
            while self.waiting and self.left > 0:
                self.left -= 1
                self.look_at(self.waiting.popleft())
            if self.left <= 0 or not self.objects:
                return

    def _attributes(self, value: Any) -> list[Any]:
        """Return what an object keeps, also in slots, and an exception in its arguments."""
        kept = read(value, "__dict__")
        found = [*islice(kept.values(), self.left + 1)] if isinstance(kept, dict) else []
        if is_kind(value, BaseException):
            found += value.args
        kind = type(value)
        members = self.members.get(kind)
        if members is None:
            members = self.members[kind] = _slots_of(kind)
        return [*found, *(read(value, member.__name__) for member in members)]


def _slots_of(kind: type) -> list[MemberDescriptorType]:
    """Return the slots that classes written in Python declare; those of Python's own lead to globals and builtins."""
    parts = (part for each in kind.__mro__ if "__slots__" in vars(each) for part in [*vars(each).values()])
    found = [part for part in parts if type(part) is MemberDescriptorType]
    return [part for part in found if part.__name__ != _NAMES_OF_FIELDS]


def _is_data(value: Any) -> bool:
    """Return whether a value is made to hold others: of pydantic, dataclasses or attrs, or an exception."""
    names = ("model_fields", "__dataclass_fields__", "__attrs_attrs__")
    return is_kind(value, BaseException) or any(isinstance(read(type(value), name), (Mapping, tuple)) for name in names)


def _text_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value[:MAX_BYTES].decode("latin-1")


def _module_of(value: Any) -> Any:
    return read(type(value), "__module__")


def _is_of_protocol(part: Any, name: Any) -> bool:
    """Return whether a key or a value of a mapping is the protocol's own word: it says nothing of what it is about."""
    if not is_kind(name, str):
        return False
    if part is name:
        return name in PROTOCOL_WORDS
    return name in ("role", "type") and is_kind(part, str) and part in PROTOCOL_VALUES
