"""What the application gives to metric points: ``telemetry_context(metric_attributes={"tenant": "north"})``.

The same attributes are one object, whoever gives them: who keeps something for them finds it by their identity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..encodable import encodable
from ..reading import is_kind, is_mapping, name_of_type, shown
from ..slots import Slot
from .names import is_set_by_us, problem_in_stores

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GIVEN", "GivenLabels", "LabelValue", "cut", "given_labels", "joined_labels", "labels_with", "typed_items"]

LabelValue: TypeAlias = "str | bool | int | float"

MAX_LENGTH = 256
"""Characters of a text on metric points."""

MAX_KEPT = 4_096
"""Different attributes of which the one object is kept; a table that is full begins anew."""

_INT64 = range(-(2**63), 2**63)
"""Whole numbers that OTLP can carry."""


@dataclass(frozen=True, slots=True, eq=False)
class GivenLabels:
    """Attributes of metric points: never changed in place."""

    attributes: Mapping[str, LabelValue]


GIVEN: Final = Slot[GivenLabels]("given labels")
"""What the application's blocks around a call give to its points."""

_kept: dict[tuple[tuple[str, type, LabelValue], ...], GivenLabels] = {}


def given_labels(given: Mapping[str, LabelValue] | None) -> GivenLabels | None:
    """Return what an application gave as ``metric_attributes``, ``None`` where that is nothing.

    Texts are cut at 256 characters. Raises ``TypeError`` for what is no mapping, a name that is no text and a value
    that is neither a text, a boolean nor a number, ``ValueError`` for an empty name, a name that this library or a
    store sets itself and a number that OTLP cannot carry as a value of a series.
    """
    if given is None:
        return None
    if not is_mapping(given):
        raise TypeError(f"metric_attributes takes a mapping of names to values, not {name_of_type(given)}.")
    return labels_with({_checked_name(name): _checked(name, value) for name, value in given.items()})


def labels_with(attributes: Mapping[str, LabelValue]) -> GivenLabels | None:
    """Return the one object for attributes that are known to be sound, ``None`` for none."""
    if not attributes:
        return None
    key = typed_items(attributes)
    labels = _kept.get(key)
    if labels is None:
        if len(_kept) >= MAX_KEPT:
            _kept.clear()
        labels = _kept.setdefault(key, GivenLabels(dict(attributes)))
    return labels


def joined_labels(outer: GivenLabels | None, inner: GivenLabels | None) -> GivenLabels | None:
    """Return those of both; the inner ones win."""
    if outer is None or inner is None or outer is inner:
        return outer if inner is None else inner
    return labels_with({**outer.attributes, **inner.attributes})


def typed_items(attributes: Mapping[str, Any]) -> tuple[tuple[str, type, Any], ...]:
    """Return a key that is the same for the same attributes; to Python ``True`` and ``1`` are one."""
    return tuple(sorted([(name, type(value), value) for name, value in attributes.items()], key=_name))


def cut(text: str) -> str:
    """Return what of a text stands on metric points."""
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…"


def _name(item: tuple[str, type, Any]) -> str:
    return item[0]


def _checked_name(name: object) -> str:
    if not is_kind(name, str) or not isinstance(name, str):
        raise TypeError(f"A name in metric_attributes is a text, such as 'tenant', not {name_of_type(name)}.")
    text = encodable(name)
    if not text.strip():
        raise ValueError("A name in metric_attributes is not empty.")
    problem = "which the instrumentation sets itself" if is_set_by_us(text) else problem_in_stores(text)
    if problem is not None:
        raise ValueError(
            f"metric_attributes cannot set {text!r}, {problem}. Take a name of your own, such as 'tenant'."
        )
    return text


def _checked(name: str, value: object) -> LabelValue:
    if is_kind(value, str) and isinstance(value, str):
        return cut(encodable(value))
    if value is True or value is False:
        return value
    # By what the number is, whatever a class of the application's says that it is.
    if is_kind(value, int) and isinstance(value, int):
        number = int.__int__(value)
        if number in _INT64:
            return number
        raise ValueError(f"metric_attributes[{name!r}] takes whole numbers of 64 bits, not {shown(value)}.")
    if is_kind(value, float) and isinstance(value, float):
        real = float.__float__(value)
        if math.isfinite(real):
            return real
        raise ValueError(f"metric_attributes[{name!r}] takes finite numbers, not {shown(value)}.")
    raise TypeError(
        f"metric_attributes[{name!r}] takes a str, bool, int or float, of few different values, "
        f"not {name_of_type(value)}."
    )
