"""Looking at objects of the application, which may do anything when they are looked at.

A property raises, a dead ``weakref.proxy`` raises when it is asked for its class, an array has no truth. None of that
is to cost a span.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from .encodable import encodable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "is_coroutine_function",
    "is_kind",
    "is_mapping",
    "name_of_type",
    "read",
    "read_past",
    "setting",
    "shown",
    "size_of",
    "text_of_name",
]

MAX_SHOWN = 60
"""Characters of a value in a message."""


read_past: Final[Callable[[Any, str], Any]] = object.__getattribute__
"""Reads an attribute past an object's own ``__getattribute__``: DSPy's modules have one, which takes its time."""


def read(owner: object, name: str, default: Any = None) -> Any:
    """Return an attribute, or the default where there is none or it cannot be read."""
    try:
        return getattr(owner, name, default)
    except Exception:  # noqa: BLE001 - as above
        return default


def setting(name: str) -> Any:
    """Return one of DSPy's settings as it is in force here, ``None`` where there is none."""
    return read(getattr(sys.modules.get("dspy"), "settings", None), name)


def is_kind(value: object, *kinds: type) -> bool:
    """Whether a value is of one of the types by its own type, whatever class it claims to have."""
    return issubclass(type(value), kinds)


def is_mapping(value: object) -> bool:
    """Whether a value is a mapping, as far as it lets itself be asked."""
    try:
        return isinstance(value, Mapping)
    except Exception:  # noqa: BLE001 - as above
        return False


def text_of_name(value: object) -> str | None:
    """Return a name as a text that a span can carry, ``None`` where it is no text or an empty one."""
    # Its own type first: a dead proxy raises when it is asked for its class.
    return encodable(value) if is_kind(value, str) and isinstance(value, str) and str.__len__(value) else None


def name_of_type(value: object) -> str:
    """Return the name of a value's own type."""
    return text_of_name(read(type(value), "__name__")) or "object"


def shown(value: object) -> str:
    """Return the beginning of what a value says of itself, for a message, or what type it is of."""
    try:
        text = encodable(repr(value))
    except Exception:  # noqa: BLE001 - as above
        return f"this {name_of_type(value)}"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def size_of(value: object) -> int | None:
    """Return how many items a value has, ``None`` where it does not tell."""
    try:
        return len(value)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 - as above
        return None


def is_coroutine_function(function: object) -> bool:
    """Return whether what a call of something returns has to be awaited; objects that are called are looked at too."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(read(function, "__call__"))
