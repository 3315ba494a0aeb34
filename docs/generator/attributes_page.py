"""``docs/telemetry.md``: every attribute, this library's own and those of others."""

from __future__ import annotations

from .convention_names import CONVENTION_NAMES, OPENINFERENCE_NAMES, RARE
from .emitted import Emitted
from .places import is_content, types_of, where
from .semconv_names import names, sentence

__all__ = ["attributes_page"]

INTRODUCTION = """# Attributes

Every attribute that this library emits, on spans and events. Made from the source and from what the programs of the
tests emit, by `python docs/generate.py`; do not edit. Attributes of metrics are under [Metrics](reference/metrics.md).

*On* names the [spans](reference/spans.md) and [events](reference/events.md): in **bold** where the attribute is there
always, otherwise where it applies and is known. *Content* is off until
`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` says otherwise ([Security](security.md)).
"""

HEAD = "| name | type | on | meaning |\n| --- | --- | --- | --- |"
ON = ("span ", "log event ")


def attributes_page() -> str:
    """Return the whole page."""
    emitted = Emitted.read()
    lines = [INTRODUCTION, "## Of this library, and proposed for the conventions"]
    section = ""
    for name in names():
        if not name.is_attribute:
            continue
        if name.section != section:
            section = name.section
            lines.append(f"\n### {section[0].upper()}{section[1:]}\n\n{HEAD}")
        shown = f"{name.value}.{{name}}" if name.kind == "prefix" else name.value
        lines.append(f"| `{shown}` | {name.kind} | {where(name.value, emitted, ON)} | {sentence(name.meaning)} |")
    lines.append(
        "\n## Of the OpenTelemetry conventions\n\nWhat they mean in DSPy; the conventions' own pages say the rest."
    )
    for title, meanings in CONVENTION_NAMES.items():
        rows = [row(name, meaning, emitted) for name, meaning in meanings.items() if on_spans(name, emitted)]
        lines.append("\n".join([f"\n### {title}\n", HEAD, *rows]))
    lines.append(
        "\n## Of OpenInference\n\nWith `OTEL_INSTRUMENTATION_DSPY_OPENINFERENCE=true` alone, for Phoenix, Arize and "
        f"MLflow ([backends](backends.md)). `N` counts from 0.\n\n{HEAD}"
    )
    lines += [row(name, meaning, emitted) for name, meaning in OPENINFERENCE_NAMES.items() if on_spans(name, emitted)]
    return "\n".join(lines) + "\n"


def on_spans(name: str, emitted: Emitted) -> bool:
    """Whether anything but a metric has an attribute."""
    return bool(where(name, emitted, ON)) or name in RARE


def row(name: str, meaning: str, emitted: Emitted) -> str:
    """Return a line of a table."""
    content = " Content, off by default." if is_content(name) else ""
    kind = types_of(name, emitted) or ("int" if "tokens" in name or "top_k" in name else "string")
    return f"| `{name}` | {kind} | {where(name, emitted, ON) or 'chat'} | {sentence(meaning)}.{content} |"
