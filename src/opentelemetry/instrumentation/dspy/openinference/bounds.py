"""Values as JSON texts of a bounded length that are JSON all the same: the longest texts in them are cut."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["cut", "dumped", "fitted", "parsed"]

_MARK = 40
"""Characters that at most are put where a text was cut."""


def parsed(value: Any) -> Any:
    """Return what a JSON text holds, ``None`` for any other text."""
    if not isinstance(value, str) or not value.startswith(("{", "[", '"')):
        return None
    try:
        return json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> Any:
    """``NaN`` and the like are none of JSON's, though Python reads them."""
    raise ValueError(constant)


def dumped(value: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def cut(text: str, length: int) -> str:
    """Return a text with what is beyond so many characters counted instead of told."""
    if len(text) <= length:
        return text
    mark = f"… [{len(text) - max(length - _MARK, 0)} more characters]"
    return text[: max(length - _MARK, 0)] + mark if length > _MARK else text[:length]


def fitted(value: Any, length: int) -> str | None:
    """Return a value as JSON of at most so many characters, ``None`` where no cutting of its texts comes to that."""
    text = dumped(value)
    if len(text) <= length:
        return text
    lengths = sorted(_lengths(value))
    longest = _longest(lengths, length - (len(text) - sum(lengths)))
    if longest <= _MARK:
        return None
    text = dumped(_with_texts_cut(value, longest))
    return text if len(text) <= length else None


def _longest(lengths: list[int], room: int) -> int:
    """Return to how many characters texts have to be cut, so that all of them together fit into the room."""
    for index, length in enumerate(lengths):
        share = room // (len(lengths) - index)
        if length > share:
            return share
        room -= length
    return lengths[-1] if lengths else 0


def _lengths(value: Any) -> Iterator[int]:
    if isinstance(value, str):
        yield len(value)
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _lengths(item)


def _with_texts_cut(value: Any, length: int) -> Any:
    if isinstance(value, str):
        return cut(value, length)
    if isinstance(value, list):
        return [_with_texts_cut(item, length) for item in value]
    if isinstance(value, dict):
        return {name: _with_texts_cut(item, length) for name, item in value.items()}
    return value
