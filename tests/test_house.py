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


WAY = (
    {"seams"},
    {"recorders"},
    {"spans", "plain_operations", "tracers", "exception_events", "surroundings"},
    {"programs", "language_models", "retrieving", "optimization", "content", "error_texts", "wrapping", "budgets"},
    {"context", "openings", "blocks", "usage", "slots"},
    {"semconv", "convention_names", "encodable", "weak"},
)
"""From the map to the words: each part imports of these what stands below it, and what stands beside it."""

MEANT_UPWARDS = {"usage": "language_models"}
"""What a count and a price are is told with the replies that they come from."""


def upwards(imports: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Return who imports what stands above it on the way."""
    height = {part: number for number, parts in enumerate(WAY) for part in parts}
    found = set()
    for name, needed in imports.items():
        own = name.partition(".")[0]
        for other in needed:
            above = other.partition(".")[0]
            if own in height and height.get(above, height[own]) < height[own] and MEANT_UPWARDS.get(own) != above:
                found.add((name, other))
    return found


def test_imports_run_from_the_map_to_the_words() -> None:
    assert upwards(imports_of(PACKAGE)) == set()


def test_an_import_of_what_is_above_is_found() -> None:
    assert upwards({"programs.paths": {"recorders.module", "weak"}}) == {("programs.paths", "recorders.module")}


def test_nobody_but_the_map_knows_a_recorder() -> None:
    known = {name for name, needed in imports_of(PACKAGE).items() if any(n.startswith("recorders.") for n in needed)}
    assert {name for name in known if not name.startswith("recorders.")} == {"seams"}


def test_no_two_files_need_each_other() -> None:
    [*TopologicalSorter(imports_of(PACKAGE)).static_order()]


def test_commands_know_nothing_of_the_recorders_and_nobody_knows_of_commands() -> None:
    imports = imports_of(PACKAGE)
    commands = {name for name in imports if name.partition(".")[0] == "tools"}

    assert {known for name in commands for known in imports[name] if known.startswith("recorders")} == set()
    assert {name for name in imports if imports[name] & commands} - commands == {"__main__"}


def test_a_circle_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from .b import B\n")
    (tmp_path / "b.py").write_text("if TYPE_CHECKING:\n    from . import a\n")
    with pytest.raises(CycleError):
        [*TopologicalSorter(imports_of(tmp_path)).static_order()]
