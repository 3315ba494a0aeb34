"""Figures of the attacks: collected while they run, and printed at the end when they were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sizes import IS_FULL

if TYPE_CHECKING:
    from collections.abc import Callable

FIGURES = pytest.StashKey[list[dict[str, str]]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Take note of what an attack found: the name of each figure and its text."""

    def take(attack: str, **figures: object) -> None:
        told = {name.replace("_", " "): str(figure) for name, figure in figures.items()}
        request.config.stash.setdefault(FIGURES, []).append({"attack": attack, **told})

    return take


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures, at full size, as a table of a document."""
    told = config.stash.get(FIGURES, [])
    if not told or not IS_FULL:
        return
    terminalreporter.section("figures")
    for columns in {tuple(row): None for row in told}:
        terminalreporter.line(f"| {' | '.join(columns)} |")
        terminalreporter.line(f"| {' | '.join('---' for _ in columns)} |")
        for row in told:
            if tuple(row) == columns:
                terminalreporter.line(f"| {' | '.join(row.values())} |")
        terminalreporter.line("")
