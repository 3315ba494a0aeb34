"""Whether Python comes to an end soon when it writes a value: its own ``repr`` goes wherever there is a way."""

from __future__ import annotations

from collections import deque
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .reading import is_kind, read

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_soon_written"]

MAX_VALUES = 20_000
"""Values of which one text is made; Python writes them in some milliseconds."""

MAX_DEPTH = 200
"""Values inside one another: far fewer than Python's calls may be."""

_SINGLE = frozenset({type(None), bool, int, float, str, bytes})

_LISTS = (list, tuple, set, frozenset, deque, KeysView, ValuesView, ItemsView)


def is_soon_written(value: Any) -> bool:
    """Return whether ``repr`` and ``str`` of a value have so few values to write, and not too deep a way to them.

    What lies in a value more than once counts each time, since it is written each time; but for what contains itself,
    for which Python writes ``...``. An object with a ``__repr__`` of its own is one value.
    """
    ways = [_parts_of(value)]
    around = [id(value)]
    left = MAX_VALUES
    while ways:
        part = next(ways[-1], _END)
        if part is _END:
            ways.pop()
            around.pop()
            continue
        left -= 1
        if left < 0 or len(ways) > MAX_DEPTH:
            return False
        if type(part) not in _SINGLE and id(part) not in around:
            ways.append(_parts_of(part))
            around.append(id(part))
    return True


_END = object()


def _parts_of(value: Any) -> Iterator[Any]:
    """Return the values that Python writes of a value, none of what it knows nothing about."""
    try:
        if is_kind(value, dict):
            return iter([*dict.values(value)])
        if is_kind(value, *_LISTS):
            return iter([*value])
        if is_kind(value, BaseException):
            return iter(value.args)
        if is_kind(value, SimpleNamespace):
            return iter([*vars(value).values()])
        if is_kind(value, partial):
            return iter([*value.args, *value.keywords.values()])
        store = read(value, "_store")
        if is_kind(store, dict):  # DSPy's examples and predictions
            return iter([*store.values()])
        names = read(type(value), "model_fields") or read(type(value), "__dataclass_fields__")
        return iter([read(value, name) for name in names] if isinstance(names, Mapping) else ())
    except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
        return iter(())
