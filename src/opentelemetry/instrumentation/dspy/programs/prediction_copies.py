"""Copies of predictions came from the same call as what they are copies of.

Nothing is put into a prediction, so what is copied cannot tell: those who make copies do. ``prediction.copy()`` and
``.without()`` are calls of ``Prediction(base=prediction)`` on every DSPy. The module ``copy`` asks for the methods
``__copy__`` and ``__deepcopy__``, and is given them for what has no other way of its own to be copied. They do what
``copy`` does without them, and no frame of theirs lies between a prediction and one in it, so that predictions can be
copied that lie in each other as deep as before. How predictions are pickled stays as it is.
"""

from __future__ import annotations

import copy
import copyreg
import functools
import inspect
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from .predictions import note_copy_of, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CopyMethod", "DeepCopyMethod", "copy_methods", "noting_base"]

_PROTOCOL = 4
"""Of ``__reduce_ex__``, as the module ``copy`` asks for it."""

_reconstruct: Any = vars(copy).get("_reconstruct")
"""What ``copy`` makes a copy with that has no method for it."""

_PARAMETERS = ("x", "memo", "func", "args", "state", "listiter", "dictiter")
"""It takes an object, the copies so far if it is to copy deep, and what ``__reduce_ex__`` returns."""

_OTHER_WAYS = (
    *("__copy__", "__deepcopy__", "__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__"),
    *("__getattr__", "__getattribute__"),
)
"""With these a class has a say in how it is copied: by the last two, whatever name ``copy`` asks for."""


def copy_methods(prediction_class: type) -> dict[str, Any]:
    """Return what ``copy`` is to find in DSPy's ``Prediction``, by name; nothing where its own way is not known."""
    if not inspect.isfunction(_reconstruct) or tuple(inspect.signature(_reconstruct).parameters)[:7] != _PARAMETERS:
        return {}
    methods = {"__copy__": CopyMethod(prediction_class), "__deepcopy__": DeepCopyMethod(prediction_class)}
    return {name: method for name, method in methods.items() if not hasattr(prediction_class, name)}


def noting_base(make: Any, prediction: Any, arguments: tuple[Any, ...], fields: dict[str, Any]) -> None:
    """Make a prediction, and note the one that it is a copy of."""
    make(*arguments, **fields)
    base = arguments[0] if arguments else fields.get("base")
    if base is not None:
        note_copy_of(prediction, base)


class _Method:
    """A method for ``copy`` that a class has only where nothing else says how its objects are copied."""

    __slots__ = ("_prediction_class",)
    name: str

    def __init__(self, prediction_class: type) -> None:
        self._prediction_class = prediction_class

    def __reduce__(self) -> tuple[Any, ...]:
        """Be ``None`` in a class that is saved by value, which is to ``copy`` as if there were no method."""
        return type(None), ()

    def _other(self, instance: Any, owner: type) -> Any:
        """Return the method that there is without this one; raises ``AttributeError`` if there is none."""
        return getattr(super(self._prediction_class, owner if instance is None else instance), self.name)

    def _has_other_way(self, owner: type) -> bool:
        if owner in copyreg.dispatch_table or hasattr(super(self._prediction_class, owner), self.name):
            return True
        known = self._prediction_class.__mro__
        return any(way in vars(each) for each in owner.__mro__ if each not in known for way in _OTHER_WAYS)


class CopyMethod(_Method):
    """Makes shallow copies. ``copy`` asks the class for it."""

    __slots__ = ()
    name = "__copy__"

    def __get__(self, instance: Any, owner: type) -> Any:
        if self._has_other_way(owner):
            return self._other(instance, owner)
        return _shallow if instance is None else functools.partial(_shallow, instance)


class DeepCopyMethod(_Method):
    """Makes deep copies of predictions of a known call. ``copy`` asks the prediction for it."""

    __slots__ = ()
    name = "__deepcopy__"

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None or origin_of(instance) is None or self._has_other_way(owner):
            return self._other(instance, owner)
        make, *parts = instance.__reduce_ex__(_PROTOCOL)
        return MethodType(_reconstruct_of(functools.partial(_noted, instance, make), *parts), instance)


def _reconstruct_of(*parts: Any) -> Any:
    """Return the function of ``copy`` with the parts in it: a call of it is the one frame that there is without us.

    A function of ours around it would be a frame more for each prediction in another, and a ``partial`` counts as one.
    """
    defaults = (*parts, *_reconstruct.__defaults__[len(parts) - 2 :])
    found = FunctionType(_reconstruct.__code__, _reconstruct.__globals__, None, defaults, _reconstruct.__closure__)
    found.__kwdefaults__ = _reconstruct.__kwdefaults__
    return found


def _shallow(prediction: Any) -> Any:
    copied = _reconstruct(prediction, None, *prediction.__reduce_ex__(_PROTOCOL))
    note_copy_of(copied, prediction)
    return copied


def _noted(prediction: Any, make: Callable[..., Any], *arguments: Any) -> Any:
    copied = make(*arguments)
    note_copy_of(copied, prediction)
    return copied
