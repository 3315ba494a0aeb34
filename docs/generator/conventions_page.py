"""``docs/reference/conventions.md``: names of the conventions, the version of each, and what is otherwise."""

from __future__ import annotations

from .beyond_conventions import BEYOND, EVERYWHERE, KEPT
from .conventions import Conventions
from .emitted import Emitted
from .places import title_of
from .semconv_names import sentence

__all__ = ["conventions_page"]

INTRODUCTION = """# Conventions

The names of OpenTelemetry's conventions that this library uses, each with the version that it came with. Made from
`docs/generator/conventions.json` by `python docs/generate.py`; do not edit. A test holds all that the programs of the
tests emit against that file: names, types, units, severities, what is required, and what has been replaced.

The conventions for generative AI were a part of the semantic conventions up to 1.41: the numbers in the table are those
of that project, 1.26 for that version or an older one. *GenAI {genai}* is their first release on their own. What is
*proposed* is in no release that was seen; what is *unreleased* was in the conventions between two of them.

| name | is | type or unit | since | replaced by |
| --- | --- | --- | --- | --- |
"""

REPLACED = """
## What has been replaced and is emitted all the same

| name | why |
| --- | --- |
"""

BEYOND_HEAD = """
## Where names stand that the conventions do not put there

| name | where | why |
| --- | --- | --- |
"""

SCHEMA = """
## Why the schema URL is {schema}

It is the one that `opentelemetry-util-genai` names for the spans, metrics and events that it makes, and this library's
own come from the same instrumentation scope: a second URL would make two scopes of one library, and backends would show
each metric twice. It is older than many of the names: a schema URL tells a backend which renames to apply to data of
other versions, and not which names there are. The GenAI conventions have URLs of their own, at which no schema was
published when this was written. When `opentelemetry-util-genai` names another one, this library follows, and a test
says so.

## When the conventions change

1. Write the change into `docs/generator/conventions.json`.
2. Run `tests/docs/test_conventions.py`: it names everything that is emitted otherwise.
3. Change what is emitted, or write the reason down in `docs/generator/beyond_conventions.py`.
4. Run `python docs/generate.py`, and tell of renamed names in the changelog ([Stability](../stability.md)).
"""


def conventions_page() -> str:
    """Return the whole page."""
    from opentelemetry.instrumentation.dspy.telemetry import SCHEMA_URL

    conventions, emitted = Conventions.read(), Emitted.read()
    kinds = (("attribute", conventions.attributes), ("metric", conventions.metrics), ("event", conventions.events))
    rows = [row(name, kind, known) for kind, names in kinds for name, known in names.items()]
    kept = [f"| `{name}` | {sentence(reason)} |" for name, reason in KEPT.items()]
    everywhere = [f"| `{name}` | everything | {sentence(reason)} |" for name, reason in EVERYWHERE.items()]
    beyond = [
        f"| `{name}` | {', '.join(title(place, emitted) for place in places)} | {sentence(reason)} |"
        for name, (places, reason) in BEYOND.items()
    ]
    tables = (
        (INTRODUCTION.format(genai=conventions.genai), rows),
        (REPLACED, kept),
        (BEYOND_HEAD, everywhere + beyond),
    )
    text = "".join(head + "\n".join(lines) + "\n" for head, lines in tables)
    return text + SCHEMA.format(schema=SCHEMA_URL.rpartition("/")[2])


def row(name: str, kind: str, known: dict[str, str]) -> str:
    """Return a line of the table of names."""
    replaced = ", ".join(f"`{other}`" for other in known.get("replaced_by", ()))
    since = known["since"].replace("genai-", "GenAI ")
    measure = known.get("type") or (f"`{known['unit']}`" if "unit" in known else "")
    return f"| `{name}` | {kind} | {measure} | {since} | {replaced} |"


def title(place: str, emitted: Emitted) -> str:
    """Return what a place is called."""
    assert place in emitted.places, place
    return f"`{place.removeprefix('metric ')}`" if place.startswith("metric ") else title_of(place)
