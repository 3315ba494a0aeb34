"""Copies of predictions came from the same call as what they are copies of.

Nothing is put into a prediction, so what is copied cannot tell: those who make copies do. ``prediction.copy()`` and
``.without()`` are calls of ``Prediction(base=prediction)`` on every DSPy. For the module ``copy`` the class is given,
while it is instrumented, the two methods that it asks for; they do what it would do without them. How predictions are
pickled stays as it is.
"""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any

from .predictions import note_copy_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["copying_methods"]

_PROTOCOL = 4
"""Of ``__reduce_ex__``, as the module ``copy`` asks for it."""

_reconstruct: Callable[..., Any] | None = vars(copy).get("_reconstruct")
"""What ``copy`` makes a copy with that has no method for it."""


def copying_methods(prediction_class: type) -> dict[str, Callable[..., Any]]:
    """Return the methods of DSPy's ``Prediction`` that note copies, by their names; none that it has already."""
    methods: dict[str, Callable[..., Any]] = {"__init__": _noting_init(prediction_class)}
    if _reconstruct is not None:
        added: dict[str, Callable[..., Any]] = {"__copy__": _shallow, "__deepcopy__": _deep}
        methods.update((name, method) for name, method in added.items() if not hasattr(prediction_class, name))
    return methods


def _noting_init(prediction_class: type) -> Callable[..., None]:
    make = vars(prediction_class)["__init__"]

    @functools.wraps(make)
    def __init__(self: Any, *arguments: Any, **fields: Any) -> None:  # noqa: N807 - it is called so in tracebacks
        make(self, *arguments, **fields)
        base = arguments[0] if arguments else fields.get("base")
        if base is not None:
            note_copy_of(self, base)

    return __init__


def _shallow(prediction: Any) -> Any:
    return _copied(prediction, None)


def _deep(prediction: Any, memo: dict[int, Any]) -> Any:
    return _copied(prediction, memo)


def _copied(prediction: Any, memo: dict[int, Any] | None) -> Any:
    parts = prediction.__reduce_ex__(_PROTOCOL)
    if isinstance(parts, str) or _reconstruct is None:
        return prediction
    copied = _reconstruct(prediction, memo, *parts)
    note_copy_of(copied, prediction)
    return copied
