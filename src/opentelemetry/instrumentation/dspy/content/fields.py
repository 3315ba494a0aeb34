"""The named values of a message, block or part, in whatever form it is handed around."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from types import SimpleNamespace
from typing import Any

from ..language_models.reply_values import member

__all__ = ["fields_of", "first_text", "is_kind", "is_mapping", "says_nothing"]

MAX_FIELDS = 10_000
"""Named values that are looked at of one mapping: more than are recorded of any, and some have no end."""

MAX_EMPTY = 1_000
"""Values inside of each other that may be empty; what has more of them says something."""


def is_kind(value: object, *kinds: type) -> bool:
    """Return whether a value is of one of the types by its own type: a dead proxy fails when its class is asked for."""
    return issubclass(type(value), kinds)


def is_mapping(value: object) -> bool:
    """Return whether a value is a mapping, as far as it lets itself be asked."""
    try:
        return isinstance(value, Mapping)
    except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
        return False


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return the named values that say something of a mapping, pydantic model, dataclass or namespace.

    ``None`` for what is none of these. Fields that a model was given beyond those that it declares are among them:
    clients of providers keep there what their version does not know.
    """
    if is_mapping(value):
        # Keys that are no names are kept in the text that stands for the rest.
        return {str(name): item for name, item in islice(value.items(), MAX_FIELDS) if not says_nothing(item)}
    if is_kind(value, type):
        return None
    names = _names_of(value)
    if names is None:
        return None
    return {name: item for name in names if not says_nothing(item := member(value, name))}


def _names_of(value: Any) -> list[str] | None:
    store = member(value, "_store")
    if isinstance(store, dict):  # DSPy's examples and predictions
        return [str(name) for name in store]
    if is_kind(value, SimpleNamespace):
        return [*vars(value)]
    kinds = (getattr(type(value), name, None) for name in ("model_fields", "__dataclass_fields__"))
    declared = next((names for names in kinds if isinstance(names, Mapping)), None)
    if declared is None:
        return None
    beyond = member(value, "__pydantic_extra__")
    return [*declared, *(beyond if isinstance(beyond, dict) else ())]


def first_text(fields: Any, *names: str) -> str | None:
    """Return the first text among some named values that is not empty."""
    found = (member(fields, name) for name in names)
    return next((value for value in found if is_kind(value, str) and isinstance(value, str) and value), None)


def says_nothing(value: Any) -> bool:
    """Return whether a value is absent or empty, so that there is nothing to lose."""
    if not is_kind(value, list, tuple):
        return _is_empty(value)
    # A stack, not a recursion: lists may contain each other.
    waiting, left = [value], MAX_EMPTY
    while waiting:
        items = waiting.pop()
        left -= len(items)
        if left < 0:
            return False
        for item in items:
            if is_kind(item, list, tuple):
                waiting.append(item)
            elif not _is_empty(item):
                return False
    return True


def _is_empty(value: Any) -> bool:
    return value is None or (is_kind(value, str, bytes, dict) and len(value) == 0)
