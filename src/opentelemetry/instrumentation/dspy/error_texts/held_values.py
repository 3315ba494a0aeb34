"""What exceptions keep of the values that they are about: a reply that nobody could read is known to nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..reading import read
from .origins import chain_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["values_held_by"]

MAX_PROBLEMS = 100
"""Problems of one validation whose values are looked at."""


def values_held_by(error: BaseException) -> list[Any]:
    """Return the values that an exception, and those that led to it, say that they are about."""
    found: list[Any] = []
    for each in chain_of(error):
        for known, held in _HELD.items():
            if any(ancestor.__name__ == known for ancestor in type(each).__mro__):
                try:
                    found += held(each)
                except Exception:  # noqa: BLE001 - another version of the library may have its parts elsewhere
                    break
    return found


def _inputs(error: Any) -> list[Any]:
    """Pydantic's, or the instance that breaks the schema of jsonschema's."""
    if not hasattr(error, "errors"):
        return [error.instance]
    problems = error.errors(include_url=False, include_context=False)[:MAX_PROBLEMS]
    return [problem.get("input") for problem in problems]


_HELD: dict[str, Callable[[Any], list[Any]]] = {
    "AdapterParseError": lambda error: [read(error, "lm_response"), read(error, "parsed_result")],
    "JSONDecodeError": lambda error: [error.doc],
    "SyntaxError": lambda error: [error.text],
    "UnicodeError": lambda error: [read(error, "object")],
    "ValidationError": _inputs,
}
"""What each class of exceptions, by its name, keeps."""
