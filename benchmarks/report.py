"""Measurements as a table a person reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING

from .contenders import CONTENDERS, FLOOR, GENAI_DSPY, NOBODY, OPENINFERENCE, OURS, UTIL_GENAI_FLOOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Cell", "Measurements", "Target", "table", "verdicts"]


@dataclass(slots=True)
class Cell:
    """One program in one mode: microseconds of each contender, round by round."""

    rounds: dict[str, list[float]] = field(default_factory=lambda: {contender.name: [] for contender in CONTENDERS})

    def added(self, contender: str) -> list[float]:
        """Return what the contender added in each round, ascending."""
        pairs = zip(self.rounds[contender], self.rounds[NOBODY.name], strict=True)
        return sorted(with_it - without for with_it, without in pairs)

    def ratio(self, peer: str) -> float:
        """Return what this library adds for each microsecond that a peer adds."""
        return median(self.added(OURS.name)) / median(self.added(peer))


@dataclass(slots=True)
class Measurements:
    """Everything about one program, with metrics or without."""

    title: str
    spans: Mapping[str, int]
    """Spans of one call when sampled, by contender."""
    modes: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio that is not to be exceeded."""

    mode: str
    peer: str
    ratio: float


TARGETS = (
    Target("sampled", GENAI_DSPY.name, 0.85),
    Target("sampled", FLOOR.name, 1.5),
    Target("sampler off", GENAI_DSPY.name, 0.35),
)

_TITLES = {contender.name: contender.title for contender in CONTENDERS}
_LABEL_WIDTH, _WIDTH = 24, 30


def table(measurements: Measurements) -> str:
    """Return one program's table."""
    modes = measurements.modes
    without = median(next(iter(modes.values())).rounds[NOBODY.name])
    lines = [
        f"{measurements.title} ({without:.0f} µs without instrumentation)",
        "".join([" " * _LABEL_WIDTH, "spans  ", *(mode.ljust(_WIDTH) for mode in modes)]).rstrip(),
    ]
    for contender in CONTENDERS[1:]:
        spans = measurements.spans[contender.name]
        cells = (_added(cell.added(contender.name), spans).ljust(_WIDTH) for cell in modes.values())
        lines.append(f"  {contender.title:<{_LABEL_WIDTH - 2}}{spans:>5}  {''.join(cells)}".rstrip())
    for peer in (GENAI_DSPY, OPENINFERENCE, UTIL_GENAI_FLOOR, FLOOR):
        cells = (_ratio(cell, mode, peer.name).ljust(_WIDTH) for mode, cell in modes.items())
        lines.append(f"  {'ratio to ' + peer.title:<{_LABEL_WIDTH + 5}}{''.join(cells)}".rstrip())
    return "\n".join(lines)


def verdicts(measurements: Measurements) -> str:
    """Return for each target whether it is reached."""
    lines = []
    for target in TARGETS:
        ratio = measurements.modes[target.mode].ratio(target.peer)
        verdict = "reached" if ratio <= target.ratio else "NOT reached"
        lines.append(f"{target.mode}, at most {target.ratio:.2f} of {_TITLES[target.peer]}: {ratio:.2f}, {verdict}")
    return "\n".join(lines)


def _added(added: Sequence[float], spans: int) -> str:
    first, middle, third = quantiles(added, n=4)
    each = f" {middle / spans:6.1f}/span" if spans else ""
    return f"{middle:6.0f} ({first:.0f}..{third:.0f}){each}"


def _ratio(cell: Cell, mode: str, peer: str) -> str:
    # Suppressed, each only looks whether it is: a ratio of two small numbers, one of them of nothing at all.
    return "" if mode == "suppressed" else f"{cell.ratio(peer):6.2f}"
