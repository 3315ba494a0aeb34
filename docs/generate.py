"""Writes ``docs/telemetry.md`` from the names in ``semconv.py``: ``python docs/generate.py``."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "opentelemetry" / "instrumentation" / "dspy" / "semconv.py"
TARGET = ROOT / "docs" / "telemetry.md"

INTRODUCTION = """# What this library emits beside the GenAI conventions

Made from `semconv.py` by `python docs/generate.py`; do not edit. The attributes, metrics and events of the
OpenTelemetry GenAI conventions stand on the same spans and are emitted by `opentelemetry-util-genai`. What is proposed
for the conventions, and not in them yet, is marked as such. What `OTEL_INSTRUMENTATION_DSPY_OPENINFERENCE=true` adds
for Phoenix, Arize and MLflow is OpenInference's, and told in [backends.md](backends.md).
"""


@dataclass(frozen=True, slots=True)
class Name:
    """One constant of ``semconv.py``."""

    section: str
    value: str
    kind: str
    meaning: str


def names() -> list[Name]:
    """Return all names in the order of the source, each with the section that it stands in."""
    text = SOURCE.read_text()
    sections = [
        (number, line.strip("# -\n")) for number, line in enumerate(text.splitlines(), 1) if line.startswith("# ---")
    ]
    body = ast.parse(text).body
    found = []
    for statement, following in pairwise(body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.value, ast.Constant):
            continue
        assert isinstance(following, ast.Expr), f"line {statement.lineno} has no description below it"
        kind, _, meaning = " ".join(ast.literal_eval(following.value).split()).partition(": ")
        section = [title for number, title in sections if number < statement.lineno][-1]
        found.append(Name(section, statement.value.value, kind, meaning))
    return found


def document() -> str:
    """Return the whole page."""
    lines = [INTRODUCTION]
    section = ""
    for name in names():
        if name.section != section:
            section = name.section
            lines.append(f"\n## {section[0].upper()}{section[1:]}\n\n| name | type | meaning |\n| --- | --- | --- |")
        meaning = name.meaning.replace("``", "`").replace("|", "\\|")
        lines.append(f"| `{name.value}` | {name.kind} | {meaning[0].upper()}{meaning[1:]} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document())
