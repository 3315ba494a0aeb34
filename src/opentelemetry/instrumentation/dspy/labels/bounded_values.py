"""A bound on the distinct values of each attribute of metric points: every value is a time series."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_PROMPT_NAME

from .. import semconv
from ..locks import ForkSafeLock
from .names import MAX_NAMES, name_in_stores

if TYPE_CHECKING:
    from .given import LabelValue

__all__ = ["OTHER", "BoundedValues"]

_logger = logging.getLogger(__name__)

OTHER: Final = "other"
"""Stands for every value that came after an attribute had seen as many as it may have."""

_OURS = frozenset({semconv.DSPY_PROGRAM, GEN_AI_PROMPT_NAME, semconv.DSPY_OPTIMIZER_ROLE})

_ADVICE_FOR_OURS = "Give classes and signatures that are made at run time one name"
_ADVICE_FOR_GIVEN = "Give a group in its place, such as a plan or a region"


class BoundedValues:
    """The values that each attribute has had: the first so many stay what they are.

    Values that are one text in a store, such as 7 and "7", are one value, the first of them, and so are spellings of a
    name: on two points they would be the same series there, which keeps one point of the two.
    """

    __slots__ = ("_lock", "_max_values", "_option", "_spellings", "_told", "_values")

    def __init__(self, max_values: int, option: str) -> None:
        self._max_values = max_values
        self._option = option
        self._values: dict[str, dict[str, LabelValue]] = {}
        self._spellings: dict[str, str] = {}
        self._told: set[str] = set()
        self._lock = ForkSafeLock()

    def spelling_of(self, name: str) -> str:
        """Return the first spelling of a name that had a value: ``tenant.id`` and ``tenant_id`` are one label."""
        return self._spellings.get(name_in_stores(name), name)

    def of(self, name: str, value: LabelValue) -> LabelValue | None:
        """Return the value of an attribute, or what stands for it; ``None`` for a name beyond the twentieth.

        So is an empty text, which to a store is no label.

        What is beyond a bound is logged once for each attribute.
        """
        stored = _text_in_stores(value)
        if not stored:
            return None
        with self._lock:
            name = self.spelling_of(name)
            kept, is_new = self._kept(name, value, stored)
        if is_new:
            # Not while the lock is held: a handler of the application's logging may take its time.
            if kept is None:
                self._tell_of_names(name)
            else:
                self._tell_of_values(name)
        return kept

    def _kept(self, name: str, value: LabelValue, stored: str) -> tuple[LabelValue | None, bool]:
        """Return what stands for a value, and whether it is the first one beyond a bound."""
        values = self._values.get(name)
        if values is None:
            if name not in _OURS and len(self._values.keys() - _OURS) >= MAX_NAMES:
                return None, self._is_first("")
            values = self._values[name] = {}
            self._spellings[name_in_stores(name)] = name
        if stored not in values:
            if len(values) >= self._max_values:
                return OTHER, self._is_first(name)
            values[stored] = value
        return values[stored], False

    def _is_first(self, name: str) -> bool:
        is_first = name not in self._told
        self._told.add(name)
        return is_first

    def _tell_of_values(self, name: str) -> None:
        _logger.warning(
            "%s has had %d different values on metrics. Calls with further ones count as %r from now on, in this "
            "process; spans and usage_scope still tell them apart. %s, or set %s to a larger number: each value makes "
            "a time series of every metric that it stands on, for each model, program and prompt.",
            name,
            self._max_values,
            OTHER,
            _ADVICE_FOR_OURS if name in _OURS else _ADVICE_FOR_GIVEN,
            self._option,
        )

    def _tell_of_names(self, name: str) -> None:
        _logger.warning(
            "Metrics have %d attributes of your own, which is as many as they may have: %s stands on none, nor does "
            "any other new one. Give one name with several values in their place.",
            MAX_NAMES,
            name,
        )


def _text_in_stores(value: LabelValue) -> str:
    """Return what a store that knows texts alone makes of a value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
