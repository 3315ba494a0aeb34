"""Imports of the library's files run one way: no file needs one that needs it, types included."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "opentelemetry" / "instrumentation" / "dspy"


def imports_of(package: Path) -> dict[str, set[str]]:
    """Return the files that each file imports, also where it does for types alone.

    The ``__init__.py`` of the whole is the door: it imports all, and what it is imported for is where it comes from.
    """
    files = {name_of(package, path): path for path in package.rglob("*.py")}
    return {name: {*imported(name, path, files)} - {name, ""} for name, path in files.items()}


def name_of(package: Path, path: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(name: str, path: Path, files: dict[str, Path]) -> set[str]:
    found: set[str] = set()
    around = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*around[: len(around) - node.level + 1], *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                target = ".".join([*base, alias.name])
                found.add(target if target in files else ".".join(base))
    return found


def test_no_two_files_need_each_other() -> None:
    [*TopologicalSorter(imports_of(PACKAGE)).static_order()]


def test_a_circle_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from .b import B\n")
    (tmp_path / "b.py").write_text("if TYPE_CHECKING:\n    from . import a\n")
    with pytest.raises(CycleError):
        [*TopologicalSorter(imports_of(tmp_path)).static_order()]
