"""``docs/reference/events.md``: events on spans, and events in the log."""

from __future__ import annotations

from .emitted import Emitted
from .places import is_content, title_of
from .semconv_names import names, sentence

__all__ = ["EVENT_MEANINGS", "events_page"]

INTRODUCTION = """# Events

Made from the source and from what the programs of the tests emit, by `python docs/generate.py`; do not edit. What each
attribute means is under [Attributes](../telemetry.md). Those in **bold** are always there, those in *italics* are
content.
"""

EVENT_MEANINGS = {
    "exception": "where it broke: on the innermost span that an exception ended, once",
    "gen_ai.client.inference.operation.details": "log event of the conventions: all that is known of one call of a "
    "language model. Only with content on events (`EVENT_ONLY`, `SPAN_AND_EVENT`), or with "
    "`OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT=true`",
}
"""Events that others define and that ``semconv.py`` does not name."""


def events_page() -> str:
    """Return the whole page."""
    emitted = Emitted.read()
    own = {name.value: name.meaning for name in names() if name.constant.startswith("EVENT_")}
    meanings = {**EVENT_MEANINGS, **own}
    lines = [INTRODUCTION, "## On spans\n", "| event | on | attributes | meaning |", "| --- | --- | --- | --- |"]
    for place, seen in emitted.places.items():
        if place.startswith("span event "):
            name = place.removeprefix("span event ")
            spans = ", ".join(title_of(f"span {kind}") for kind in seen["on"])
            lines.append(f"| `{name}` | {spans} | {attributes_of(seen)} | {sentence(meanings[name])} |")
    lines += ["\n## In the log\n", "Log events go through the `LoggerProvider`, and no sampler drops them.\n"]
    lines += ["| event | severity | attributes | meaning |", "| --- | --- | --- | --- |"]
    for place, seen in emitted.places.items():
        if place.startswith("log event "):
            name = place.removeprefix("log event ")
            severity = ", ".join(seen["severity"])
            lines.append(f"| `{name}` | {severity} | {attributes_of(seen)} | {sentence(meanings[name])} |")
    return "\n".join(lines) + "\n"


def attributes_of(seen: dict[str, list[str]]) -> str:
    """Return the attributes of an event."""

    def shown(name: str) -> str:
        return f"**`{name}`**" if name in seen["always"] else f"*`{name}`*" if is_content(name) else f"`{name}`"

    return ", ".join(shown(name) for name in seen["names"])
