"""What programs really emit: each name, with its types, where it stands and whether it always does.

The tests take note of all that their programs emit (``tests/recorded.py``). ``emitted.json`` holds the sum, and the
pages of the reference say from it on which spans, points and events a name stands. A test whose program emits what is
not in it fails; ``pytest --write-emitted`` adds what the tests that run emit, and ``python docs/generate.py`` makes the
pages anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["EMITTED", "Emitted", "kind_of", "type_of"]

EMITTED = Path(__file__).with_name("emitted.json")

SCOPE = "opentelemetry.instrumentation.dspy"

CONVENTIONS = ("dspy.", "gen_ai.", "openai.", "error.", "exception.", "server.")
OPENINFERENCE = (
    *("openinference.", "input.", "output.", "retrieval.", "embedding.", "evaluations.", "llm.", "mlflow."),
    *("session.id", "metadata"),
)
"""Beginnings of the names that are this library's to explain; under other ones an application sets its own."""

FIRST_WORDS = ("evaluate", "evaluate_example", "optimize", "optimize_trial", "Unbatchify", "Parallel", "KNN")
"""Names of spans that have no operation of the conventions, by which they are told."""


def kind_of(name: str, attributes: Mapping[str, Any]) -> str:
    """Return which kind of span it is, as the reference lists them."""
    operation = attributes.get("gen_ai.operation.name")
    if isinstance(operation, str):
        return "chat" if operation == "text_completion" else operation
    first = name.partition(" ")[0]
    if first in FIRST_WORDS:
        return first
    if "dspy.adapter.name" in attributes:
        return "adapter"
    return "module"


def type_of(value: object) -> str:
    """Return the type of an attribute in the words of OpenTelemetry."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (list, tuple)):
        kinds = sorted({type_of(item) for item in value})
        return f"{kinds[0]}[]" if len(kinds) == 1 else "any[]" if kinds else "[]"
    if isinstance(value, Mapping):
        return "map"
    names = {int: "int", float: "double", str: "string"}
    return names.get(type(value), type(value).__name__)


class Emitted:
    """A sum of what was emitted; ``places`` has a count for each place, and for each of its names."""

    def __init__(self, places: dict[str, dict[str, Any]] | None = None) -> None:
        self.places: dict[str, dict[str, Any]] = {} if places is None else places
        self.tells_always = True
        """False where something is made to fail, or a sampler takes attributes away: then nothing must be there."""

    @classmethod
    def read(cls) -> Emitted:
        """Return what is committed."""
        return cls(json.loads(EMITTED.read_text(encoding="utf-8")))

    def write(self) -> None:
        """Commit the sum."""
        text = json.dumps(self.places, indent=1, sort_keys=True)
        EMITTED.write_text(re.sub(r"\s*\n\s*(?=[^\[\]{}]*\])", "", text) + "\n", encoding="utf-8")

    def add_span(self, span: Any) -> None:
        """Take note of a span that has ended."""
        if span.instrumentation_scope is None or span.instrumentation_scope.name != SCOPE:
            return
        kind = kind_of(span.name, span.attributes or {})
        status = span.status.status_code.name
        facts = {"kind": [span.kind.name], "status": [status], "schema": [span.instrumentation_scope.schema_url]}
        self._add(f"span {kind}", span.attributes or {}, facts)
        for event in span.events:
            self._add(f"span event {event.name}", event.attributes or {}, {"on": [kind]})

    def add_log(self, log: Any) -> None:
        """Take note of a log record."""
        record = log.log_record
        if log.instrumentation_scope is None or log.instrumentation_scope.name != SCOPE or not record.event_name:
            return
        facts = {"severity": [record.severity_text]}
        self._add(f"log event {record.event_name}", record.attributes or {}, facts)

    def add_metrics(self, data: Any) -> None:
        """Take note of all points that a reader has."""
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics if scope.scope.name == SCOPE else ():
                    facts = {"unit": [metric.unit], "instrument": [instrument_of(metric.data)]}
                    for point in metric.data.data_points:
                        self._add(f"metric {metric.name}", point.attributes or {}, facts)

    def add(self, other: Emitted) -> None:
        """Add another sum to this one."""
        for place, seen in other.places.items():
            here = self.places.setdefault(place, {"names": {}, "always": [*seen["names"]]})
            if other.tells_always:
                here["always"] = sorted({*here["always"]} & {*seen["always"]})
            for name, types in seen["names"].items():
                here["names"][name] = sorted({*here["names"].get(name, []), *types})
            for fact in seen.keys() - {"names", "always"}:
                here[fact] = sorted({*here.get(fact, []), *seen[fact]})

    def missing_from(self, known: Emitted) -> list[str]:
        """Return what is here and not there, in words."""
        found = []
        for place, seen in self.places.items():
            there = known.places.get(place)
            if there is None:
                found.append(f"{place} is not known")
                continue
            for name, types in seen["names"].items():
                if name not in there["names"]:
                    found.append(f"{name} on {place} is not known")
                else:
                    found += [f"{name} on {place} is {kind}" for kind in types if kind not in there["names"][name]]
            if self.tells_always:
                found += [f"{place} lacks {name}" for name in there["always"] if name not in seen["always"]]
            for fact in seen.keys() - {"names", "always"}:
                found += [f"{fact} of {place} is {value}" for value in seen[fact] if value not in there.get(fact, [])]
        return found

    def _add(self, place: str, attributes: Mapping[str, Any], facts: dict[str, list[Any]]) -> None:
        names = {
            plain(name): [type_of(value)]
            for name, value in attributes.items()
            if name.startswith(CONVENTIONS) or name.startswith(OPENINFERENCE)
        }
        self.add(Emitted({place: {"names": names, "always": [*names], **facts}}))


def plain(name: str) -> str:
    """Return a name whose numbers and settings are not told apart."""
    name = re.sub(r"\.\d+(?=\.|$)", ".N", name)
    return re.sub(r"^(dspy\.optimizer\.param)\..*", r"\1", name)


def instrument_of(data: Any) -> str:
    """Return the instrument behind the points of a metric."""
    return {"Sum": "counter", "Gauge": "gauge"}.get(type(data).__name__, "histogram")
