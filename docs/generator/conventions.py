"""What the conventions of OpenTelemetry say of the names that this library uses, and where it does otherwise.

``conventions.json`` is an extract of their registries, written by hand from the pages that define them: each name with
its type, the version that it came with and what has taken its place, and for each span, metric and event the levels of
its attributes. A new version of the conventions is taken in there first; ``tests/docs/test_conventions.py`` then
names all that the programs of the tests emit and that is no longer so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .beyond_conventions import BEYOND, EVERYWHERE, KEPT

if TYPE_CHECKING:
    from .emitted import Emitted

__all__ = ["FOREIGN", "Conventions", "deviations"]

EXTRACT = Path(__file__).with_name("conventions.json")

FOREIGN = ("gen_ai.", "openai.", "error.", "exception.", "server.")
"""Beginnings of the names that are not this library's own."""

FORMS_OF_ANY = ("string", "map[]")
"""What ``any`` is here: JSON on spans, structured on events."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """The extract."""

    core: str
    """Version of the semantic conventions that the older names come from."""
    genai: str
    """Version of the GenAI conventions, which have been on their own since 1.41."""
    attributes: dict[str, dict[str, Any]]
    metrics: dict[str, dict[str, Any]]
    events: dict[str, dict[str, Any]]
    places: dict[str, dict[str, list[str]]]
    """Names by level (``required``, ``conditional``, ``recommended``, ``opt_in``) for each place."""

    @classmethod
    def read(cls) -> Conventions:
        """Return what is committed."""
        return cls(**json.loads(EXTRACT.read_text(encoding="utf-8")))

    @property
    def names(self) -> dict[str, dict[str, Any]]:
        """All names of all kinds."""
        return {**self.attributes, **self.metrics, **self.events}

    def types_of(self, attribute: str) -> tuple[str, ...]:
        """Return the types that an attribute may have."""
        kind = self.attributes[attribute]["type"]
        return FORMS_OF_ANY if kind == "any" else (kind,)

    def has_place_for(self, attribute: str, place: str) -> bool:
        """Return whether an attribute is one of a span, metric or event, or stands there for a reason of ours."""
        if any(attribute in names for names in self.places.get(place, {}).values()):
            return True
        return attribute in EVERYWHERE or place in BEYOND.get(attribute, ((), ""))[0]


def deviations(emitted: Emitted, conventions: Conventions) -> list[str]:
    """Return in words all that is emitted otherwise than the conventions say, where no reason is written down."""
    found = []
    for place, seen in emitted.places.items():
        kind, _, name = place.rpartition(" ")
        if name.startswith(FOREIGN):
            found += [*_of_place(kind, name, seen, conventions)]
        for attribute, types in seen["names"].items():
            if attribute.startswith(FOREIGN):
                found += [f"{problem} on {place}" for problem in _of_attribute(attribute, types, place, conventions)]
        required = conventions.places.get(place, {}).get("required", [])
        found += [f"{attribute} is required on {place}" for attribute in required if attribute not in seen["always"]]
    return found


def _of_place(kind: str, name: str, seen: dict[str, Any], conventions: Conventions) -> list[str]:
    known = {"metric": conventions.metrics, "log event": conventions.events}.get(kind, {}).get(name)
    if known is None:
        return [f"{name} is no {kind} of the conventions"]
    found = [f"{name} has been replaced"] if "replaced_by" in known and name not in KEPT else []
    wrong = [fact for fact in ("unit", "instrument", "severity") if fact in known and seen[fact] != [known[fact]]]
    return found + [f"{fact} of {name} is {seen[fact]}, not {known[fact]}" for fact in wrong]


def _of_attribute(attribute: str, types: list[str], place: str, conventions: Conventions) -> list[str]:
    known = conventions.attributes.get(attribute)
    if known is None:
        return [f"{attribute} is no attribute of the conventions"]
    # An empty list tells no type.
    found = [f"{attribute} is {kind}" for kind in types if kind not in (*conventions.types_of(attribute), "[]")]
    if "replaced_by" in known and attribute not in KEPT:
        found.append(f"{attribute} has been replaced")
    if not conventions.has_place_for(attribute, place):
        found.append(f"{attribute} has no place")
    return found
