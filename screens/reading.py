"""One run of the program as it was read back: kept as JSON, so that the page can be written after the last backend."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from . import mlflow, phoenix
from .expected import Expected

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .seen import Seen

__all__ = ["COLUMNS", "Column", "Reading", "kept", "load", "seen_of"]

_READERS: dict[str, Callable[[dict[str, Any]], Seen]] = {"phoenix": phoenix.seen, "mlflow": mlflow.seen}


@dataclass(frozen=True, slots=True)
class Column:
    """A backend and an instrumentation."""

    backend: str
    instrumentation: str
    title: str
    packages: tuple[str, ...]
    """Whose versions matter, beside DSPy's."""

    @property
    def name(self) -> str:
        """What its project, its experiment and its files are called."""
        return f"{self.backend}-{self.instrumentation}"


_OURS = "opentelemetry-instrumentation-dspy"
COLUMNS = (
    Column("phoenix", "ours", "Phoenix, this library", ("arize-phoenix", _OURS)),
    Column(
        "phoenix", "openinference", "Phoenix, OpenInference", ("arize-phoenix", "openinference-instrumentation-dspy")
    ),
    Column("mlflow", "ours", "MLflow, this library", ("mlflow", _OURS)),
    Column("mlflow", "autolog", "MLflow, its autolog", ("mlflow",)),
)
"""Of the table, in this order."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A column, filled."""

    title: str
    versions: str
    seen: Seen
    expected: Expected


def seen_of(backend: str, answer: dict[str, Any]) -> Seen:
    """Return what a backend's answer shows."""
    return _READERS[backend](answer)


def kept(column: Column, folder: Path, answer: dict[str, Any], expected: Expected, versions: str) -> None:
    """Keep what was read back."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"answer": answer, "expected": asdict(expected), "versions": versions}
    (folder / f"{column.name}.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")


def load(column: Column, folder: Path) -> Reading | None:
    """Return what was kept of a column, `None` where nothing was."""
    file = folder / f"{column.name}.json"
    if not file.exists():
        return None
    whole = json.loads(file.read_text(encoding="utf-8"))
    told: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in whole["expected"].items()
    }
    return Reading(column.title, whole["versions"], seen_of(column.backend, whole["answer"]), Expected(**told))
