"""Values of every kind as ones that JSON and OTLP can hold, bounded in depth and number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..reading import is_kind, is_mapping
from ..secrets import SECRET, is_secret_name
from ..written_values import is_soon_written
from .budgets import ITEM
from .media import reference_of_bytes, reference_of_data_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .budgets import Budget

__all__ = ["PlainValues"]

MAX_ITEMS = 200
"""Items that are recorded of one list or mapping."""

MAX_DEPTH = 12
"""Levels of lists and mappings that are recorded."""

MAX_VALUES = 5_000
"""Values that are recorded in all; a few lists that contain each other would make any number."""

_NAME = re.compile(r"[\w.-]{2,64}")
"""What can be the name in a pair of a name and a value."""

_SCHEMA_WORDS = frozenset({"$ref", "allOf", "anyOf", "enum", "oneOf", "properties", "type"})

MAX_INTEGER = 2**63
"""OTLP's integers have 64 bits."""

_BLOBS = frozenset({"b64_json", "encrypted_content", "file_data", "image_base64"})
"""Where providers keep media without saying of which type they are, and what they alone can read."""

_AUDIO_FORMATS = frozenset({"aac", "flac", "m4a", "mp3", "ogg", "opus", "pcm16", "wav", "webm"})

_WRITTEN_OUT = (date, time, Decimal, PurePath, UUID)


@dataclass(slots=True)
class PlainValues:
    """One walk through a value."""

    text: Callable[[str], str]
    """Treats each text."""
    budget: Budget | None = None
    """What is left for all of them."""
    _left: int = MAX_VALUES
    _open: set[int] = field(default_factory=set)
    """The containers around the value, by identity."""

    def of(self, value: Any, depth: int = 0) -> Any:
        """Return the value as a plain one; what cannot be read is represented by its type."""
        try:
            return self._of(value, depth)
        except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
            return f"… [{type(value).__name__}]"

    def of_names(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a mapping whose keys stand in the program, with plain values."""
        return self._mapping(values, 0, are_names=True)

    def _of(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Enum):
            return self.of(value.value, depth)
        # What the number is, whatever a class of the application's says that it is.
        if is_kind(value, int):
            number = int.__int__(value)
            return number if -MAX_INTEGER <= number < MAX_INTEGER else self.text(str(number))
        if is_kind(value, float):
            real = float.__float__(value)
            return real if math.isfinite(real) else str(real)
        if self.budget is not None and self.budget.is_spent and is_kind(value, bytes, bytearray, memoryview):
            return f"… [{len(value)} more bytes]"
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._counted(reference_of_bytes(bytes(value)))
        if isinstance(value, _WRITTEN_OUT):
            return self.text(str(value))
        return self._container(value, depth)

    def _container(self, value: Any, depth: int) -> Any:
        if is_kind(value, _NewestFirst):
            return self._newest(value, depth)
        fields = value if isinstance(value, Mapping) else _fields(value)
        is_list = isinstance(value, (list, tuple, set, frozenset))
        if fields is None and not is_list:
            is_spent = self.budget is not None and self.budget.is_spent
            is_untold = is_spent or not is_soon_written(value)
            return f"… [{type(value).__name__}]" if is_untold else self.text(repr(value))
        if depth >= MAX_DEPTH or id(value) in self._open:
            return f"… [{type(value).__name__}]"
        self._open.add(id(value))
        try:
            if fields is None:
                return self._list(value, depth)
            if _is_history(value):
                fields = {**fields, "messages": _NewestFirst(fields["messages"])}
            # The names of fields stand in the program; the keys of a mapping may come from anywhere.
            return self._mapping(fields, depth, are_names=fields is not value)
        finally:
            self._open.discard(id(value))

    def _list(self, value: Any, depth: int) -> list[Any]:
        if _is_secret_pair(value):
            return [self.text(value[0]), SECRET]
        items = [self.of(item, depth + 1) for item in self._allowed(value)]
        return items if len(items) == len(value) else [*items, f"… [{len(value) - len(items)} more items]"]

    def _newest(self, value: list[Any], depth: int) -> list[Any]:
        """Return a history: of one that is too long the newest items."""
        items = [self.of(item, depth + 1) for item in self._allowed(reversed(value))]
        items.reverse()
        return items if len(items) == len(value) else [f"… [{len(value) - len(items)} more items]", *items]

    def _mapping(self, value: Mapping[Any, Any], depth: int, *, are_names: bool) -> dict[str, Any]:
        media_type = _media_type(value)
        recorded: dict[str, Any] = {}
        places: dict[str, int] = {}
        shares = self.budget is not None and depth == 0
        for place, (key, item) in self._shared(value) if shares else enumerate(self._allowed(value.items())):
            name = _unused(str(key) if are_names else self.text(str(key)), recorded)
            if isinstance(key, str) and is_secret_name(key) and not _says_nothing(item) and not _is_schema(item):
                recorded[name] = SECRET
            elif is_kind(item, str) and (key in _BLOBS or (key == "data" and media_type is not None)):
                recorded[name] = self._counted(_reference(item, media_type))
            else:
                recorded[name] = self.of(item, depth + 1)
            places[name] = place
        if shares:
            recorded = {name: recorded[name] for name in sorted(places, key=places.__getitem__)}
        if len(places) < len(value):
            recorded["…"] = f"[{len(value) - len(places)} more items]"
        return recorded

    def _counted(self, reference: str) -> str:
        if self.budget is not None:
            self.budget.spend(len(reference))
        return reference

    def _shared(self, value: Mapping[Any, Any]) -> Iterator[tuple[int, tuple[Any, Any]]]:
        """Yield the items of a mapping with their places, each with its share of what is left.

        Short ones come first, since they leave the most to the others.
        """
        items = sorted(enumerate(islice(value.items(), MAX_ITEMS)), key=lambda placed: _length(placed[1][1]))
        for index, placed in enumerate(items):
            if self._left <= 0 or self.budget is None:
                return
            self._left -= 1
            self.budget.spend(ITEM)
            with self.budget.share(len(items) - index - 1):
                yield placed

    def _allowed(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in islice(items, MAX_ITEMS):
            if self._left <= 0:
                return
            if self.budget is not None:
                if self.budget.is_spent:
                    return
                self.budget.spend(ITEM)
            self._left -= 1
            yield item


class _NewestFirst(list[Any]):
    """The messages of a history, of which the last matter most."""


def _is_history(value: Any) -> bool:
    """Return whether a value is a ``dspy.History``."""
    return type(value).__name__ == "History" and isinstance(getattr(value, "messages", None), list)


def _length(value: Any) -> int:
    """Return the length of a text, and of all else, which may be of any, more than a text has."""
    if is_kind(value, str):
        return str.__len__(value)
    return 0 if value is None or is_kind(value, bool, int, float) else 2**63


def _is_secret_pair(value: Any) -> bool:
    """Return whether a list is a name and its value, as headers and environments are listed, and a secret."""
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not isinstance(value[1], (str, bytes, int, float)):
        return False
    name = value[0]
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and is_secret_name(name)


def _is_schema(value: Any) -> bool:
    """Return whether a value is the JSON schema of a secret, as a tool's parameters have it, and not one."""
    return is_mapping(value) and not _SCHEMA_WORDS.isdisjoint(value)


def _says_nothing(value: Any) -> bool:
    return value is None or value is True or value is False or (is_kind(value, str) and not str.__len__(value))


def _unused(name: str, recorded: Mapping[str, Any]) -> str:
    """Return a name that is not there yet: two keys may be the same once they are redacted."""
    number = 2
    unused = name
    while unused in recorded:
        unused, number = f"{name} ({number})", number + 1
    return unused


def _reference(data: str, media_type: str | None) -> str:
    return reference_of_data_url(data if data.startswith("data:") else f"data:{media_type or ''};base64,{data}")


def _media_type(value: Mapping[Any, Any]) -> str | None:
    """Return the type of the media that stand under ``data``: in DSPy's ``Audio``, and in blocks of some providers."""
    audio_format = value.get("audio_format") or value.get("format")
    if isinstance(audio_format, str) and ("audio_format" in value or audio_format in _AUDIO_FORMATS):
        return f"audio/{audio_format}"
    kinds = (value.get("mime_type"), value.get("media_type"), value.get("mimeType"))
    return next((kind for kind in kinds if isinstance(kind, str) and not kind.startswith("text/")), None)


def _fields(value: Any) -> Mapping[str, Any] | None:
    """Return the named parts of DSPy's examples and predictions, pydantic models and dataclasses.

    What a model or dataclass leaves out of its own representation is left out here too.
    """
    if isinstance(value, type):
        return None
    store = getattr(value, "_store", None)
    if isinstance(store, dict):
        return store
    named = getattr(value, "_fields", None)
    if isinstance(value, tuple) and isinstance(named, tuple):
        return dict(zip(named, value, strict=False))
    names = getattr(type(value), "model_fields", None) or getattr(type(value), "__dataclass_fields__", None)
    if not isinstance(names, Mapping):
        return None
    return {name: getattr(value, name, None) for name, part in names.items() if getattr(part, "repr", True)}
