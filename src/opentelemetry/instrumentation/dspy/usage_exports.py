"""What one process used, as another process can add it: a plain dictionary, and which of them a total has already.

An export holds the sums of a scope since its beginning, under the scope's id. Whoever has an earlier export of the same
scope adds the difference, so that neither a message that came twice nor a second, later export counts anything twice.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .language_models.reply_values import number_of, whole_number_of
from .reading import shown

__all__ = ["Export", "Ledger", "Numbers", "as_dictionary", "read_export"]

VERSION = 1
"""Of the dictionary; a number that an older version does not know is passed over by it, whatever else changes it."""

MAX_EXPORTS = 10_000
"""So many exports does a total remember, the last ones: a message that comes twice comes twice soon."""

Numbers: TypeAlias = dict[str, dict[str, "int | float"]]
"""For each request model the sums, under the names of the fields of ``Usage``."""


@dataclass(frozen=True, slots=True)
class Export:
    """What a scope had added up when it was exported."""

    identity: str
    by_model: Numbers


@dataclass(slots=True)
class Ledger:
    """Who a total is in other processes, and what it has of others."""

    identity: str = field(default_factory=lambda: uuid.uuid4().hex)
    process: int = field(default_factory=os.getpid)
    """Where the total was begun: a forked or pickled copy has numbers in it that another process has too."""
    _received: dict[str, Numbers] = field(default_factory=dict)

    def check_process(self) -> None:
        """Raise ``RuntimeError`` where the total was begun in another process."""
        if self.process != os.getpid():
            raise RuntimeError(
                "This usage was begun in another process, and has in it what was used there. Begin one in this "
                "process: `with incoming_context(carrier) as usage:` or `with usage_scope() as usage:`."
            )

    def take(self, export: Export) -> Numbers:
        """Return what an export adds to what the total has of it, and take note that it has it now."""
        if export.identity == self.identity:
            return {}
        had = self._received.pop(export.identity, {})
        self._received[export.identity] = {
            model: {name: max(number, had.get(model, {}).get(name, 0)) for name, number in numbers.items()}
            for model, numbers in {**had, **export.by_model}.items()
        }
        if len(self._received) > MAX_EXPORTS:
            del self._received[next(iter(self._received))]
        return {
            model: {name: max(number - had.get(model, {}).get(name, 0), 0) for name, number in numbers.items()}
            for model, numbers in export.by_model.items()
        }


def as_dictionary(export: Export) -> dict[str, Any]:
    """Return an export as a dictionary of texts and numbers alone, for JSON, pickle or a message queue."""
    return {"version": VERSION, "id": export.identity, "by_model": export.by_model}


def read_export(given: object, fields: Mapping[str, type]) -> Export:
    """Read such a dictionary; ``fields`` says what is added up, and whether it is a whole number.

    Raises ``ValueError``, with what is wrong, for anything else. Numbers under other names, of a newer version of this
    library, are passed over.
    """
    if not isinstance(given, Mapping):
        raise _refusal(f"it is of the type {type(given).__name__}")
    version = given.get("version")
    if version != VERSION or isinstance(version, bool):
        raise _refusal(f"its version is {shown(version)}, and this library reads version {VERSION}")
    identity = given.get("id")
    if not isinstance(identity, str) or not identity:
        raise _refusal(f"its id is {shown(identity)}")
    by_model = given.get("by_model")
    if not isinstance(by_model, Mapping):
        raise _refusal(f"its by_model is {shown(by_model)}")
    read: Numbers = {}
    for model, numbers in by_model.items():
        if not isinstance(model, str) or not isinstance(numbers, Mapping):
            raise _refusal(f"its by_model has {shown(numbers)} for {shown(model)}")
        read[model] = {name: _amount(numbers.get(name, 0), kind, model, name) for name, kind in fields.items()}
        calls, answered = read[model].get("lm_calls", 0), read[model].get("cache_hits", 0)
        if answered > calls:
            raise _refusal(f"of its {calls} lm_calls of {shown(model)} {answered} were cache_hits")
    return Export(identity, read)


def _amount(value: object, kind: type, model: str, name: str) -> int | float:
    amount = whole_number_of(value) if kind is int else number_of(value)
    if amount is None or amount < 0:
        raise _refusal(f"its {name} of {shown(model)} is {shown(value)}")
    return amount


def _refusal(reason: str) -> ValueError:
    return ValueError(f"This is no usage that UsageScope.export() returned: {reason}.")
