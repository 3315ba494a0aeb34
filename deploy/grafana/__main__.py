"""Writes the dashboards: ``python -m deploy.grafana``."""

from __future__ import annotations

import json
from pathlib import Path

from .cost_and_calls import cost_and_calls
from .evaluations import evaluations
from .programs import programs

FOLDER = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, str]:
    """Return each file's name and content."""
    made = {"cost-and-calls": cost_and_calls(), "programs": programs(), "evaluations": evaluations()}
    return {f"{name}.json": json.dumps(content, indent=1) + "\n" for name, content in made.items()}


if __name__ == "__main__":
    for name, content in dashboards().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
