"""The names of ``semconv.py``, with what the string under each of them says."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

__all__ = ["ROOT", "Name", "names", "sentence"]

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "opentelemetry" / "instrumentation" / "dspy" / "semconv.py"


@dataclass(frozen=True, slots=True)
class Name:
    """One constant of ``semconv.py``."""

    constant: str
    section: str
    value: str
    kind: str
    meaning: str

    @property
    def is_attribute(self) -> bool:
        """Whether it names an attribute, and not a metric or an event."""
        return not self.constant.startswith(("METRIC_", "EVENT_"))


def names() -> list[Name]:
    """Return all names in the order of the source, each with the section that it stands in."""
    text = SOURCE.read_text(encoding="utf-8")
    sections = [
        (number, line.strip("# -\n")) for number, line in enumerate(text.splitlines(), 1) if line.startswith("# ---")
    ]
    found = []
    for statement, following in pairwise(ast.parse(text).body):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.value, ast.Constant):
            continue
        assert isinstance(statement.target, ast.Name)
        assert isinstance(following, ast.Expr), f"line {statement.lineno} has no description below it"
        kind, _, meaning = " ".join(ast.literal_eval(following.value).split()).partition(": ")
        section = [title for number, title in sections if number < statement.lineno][-1]
        found.append(Name(statement.target.id, section, statement.value.value, kind, meaning))
    return found


def sentence(text: str) -> str:
    """Return a text for a cell of a table, with a capital at its beginning."""
    text = text.replace("``", "`").replace("|", "\\|")
    return f"{text[0].upper()}{text[1:]}"
