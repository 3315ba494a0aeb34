"""``docs/reference/spans.md``: which spans there are, and what each of them has."""

from __future__ import annotations

from .convention_names import OPENINFERENCE_NAMES
from .emitted import Emitted
from .places import SPANS, is_content

__all__ = ["spans_page"]

INTRODUCTION = """# Spans

Made from what the programs of the tests emit, by `python docs/generate.py`; do not edit. What each attribute means is
under [Attributes](../telemetry.md).

| span | name | kind | stands for |
| --- | --- | --- | --- |
"""

RULES = """
* `{signature}` is the class name of a named signature; else, inside of a program, the last name on the way to the
  module (`Predict react`); else the fields (`question -> answer`), cut at 80 characters. A module without a signature
  has its class alone.
* `{agent}` is the name of a subclass of yours; else the class name of a named signature; else the class (`ReAct`).
* Status is `UNSET`, or `ERROR` with a text where an exception ended the call, with `error.type`; it is never `OK`.
  Cancellation and `KeyboardInterrupt` are such exceptions too. What DSPy survives marks the span that it happened in
  and no parent.
* An example of an optimizer run that has a trace of its own is linked with its trial, both ways
  ([Optimizer runs](../backends.md#optimizer-runs)).
* A call that is nobody's to see, because its span is not sampled or instrumentation is suppressed, has no span.
"""

SCOPE = """
## Scope, schema and resource

| | value |
| --- | --- |
| instrumentation scope | `{scope}`, with the version of this library |
| schema URL | `{schema}` |
| resource | the application's (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`); this library adds nothing to it |

The schema URL is the one that `opentelemetry-util-genai` names for its part of the same scope
([Conventions](conventions.md#why-the-schema-url-is-1370)).
"""


def spans_page() -> str:
    """Return the whole page."""
    from opentelemetry.instrumentation.dspy.telemetry import SCHEMA_URL, SCOPE_NAME

    emitted = Emitted.read()
    lines = []
    for kind, span in SPANS.items():
        seen = emitted.places[f"span {kind}"]
        names = ", ".join(f"`{name}`" for name in span.name.split(", "))
        lines.append(
            f"| [{span.title}](#{anchor(span.title)}) | {names} | {', '.join(seen['kind'])} | {span.stands_for} |"
        )
    sections = [section(kind, emitted) for kind in SPANS]
    scope = SCOPE.format(scope=SCOPE_NAME, schema=SCHEMA_URL)
    return INTRODUCTION + "\n".join(lines) + "\n" + RULES + "\n" + "\n".join(sections) + scope


def anchor(title: str) -> str:
    """Return the anchor of a heading."""
    return title.lower().replace(" ", "-")


def section(kind: str, emitted: Emitted) -> str:
    """Return what one kind of span has: always, where it is known, and with content on."""
    seen = emitted.places[f"span {kind}"]
    own = [name for name in seen["names"] if name not in OPENINFERENCE_NAMES]
    always = [name for name in own if name in seen["always"]]
    content = [name for name in own if is_content(name) and name not in always]
    others = [name for name in own if name not in always and name not in content]
    events = [
        place.removeprefix("span event ")
        for place, seen in emitted.places.items()
        if place.startswith("span event ") and kind in seen["on"]
    ]
    title = SPANS[kind].title
    lines = [f"## {title[0].upper()}{title[1:]}\n"]
    for words, found in (
        ("always", always),
        ("where it applies and is known", others),
        ("with content on", content),
        ("events", events),
    ):
        if found:
            lines.append(f"* **{words}**: {', '.join(f'`{name}`' for name in sorted(found))}")
    return "\n".join(lines) + "\n"
