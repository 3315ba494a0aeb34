"""Measurements as a table a person reads."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING

from .contenders import CONTENDERS, FLOOR, GENAI_DSPY, NOBODY, OPENINFERENCE, OURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .contenders import Contender

__all__ = ["Cell", "Measurements", "Target", "table", "verdicts"]


@dataclass(slots=True)
class Cell:
    """One program in one mode: microseconds of each contender, round by round."""

    rounds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def added(self, contender: str) -> list[float]:
        """Return what the contender added in each round, ascending."""
        pairs = zip(self.rounds[contender], self.rounds[NOBODY.name], strict=True)
        return sorted(with_it - without for with_it, without in pairs)

    def ratio(self, peer: str) -> float:
        """Return what this library adds for each microsecond that a peer adds."""
        return median(self.added(OURS.name)) / median(self.added(peer))

    def share(self, contender: str) -> float:
        """Return what a contender adds for each microsecond that the program itself takes."""
        return median(self.added(contender)) / median(self.rounds[NOBODY.name])


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

    program: str
    mode: str
    peer: str
    """Whom this library is compared with; with ``NOBODY``, the program itself with this library to without it."""
    ratio: float


TARGETS = (
    Target("answer", "exported", FLOOR.name, 1.25),
    Target("cached", "exported", FLOOR.name, 1.25),
    Target("answer", "exported", OPENINFERENCE.name, 0.40),
    Target("cached", "exported", OPENINFERENCE.name, 0.40),
    Target("cached", "exported", NOBODY.name, 2.40),
    Target("answer", "sampled", GENAI_DSPY.name, 1.25),
    Target("answer", "sampler off", GENAI_DSPY.name, 1.00),
    Target("answer", "suppressed", NOBODY.name, 1.03),
)

_LABEL_WIDTH, _WIDTH = 24, 30


def table(measurements: Measurements, contenders: Sequence[Contender]) -> str:
    """Return one program's table."""
    modes = measurements.modes
    without = ", ".join(f"{median(cell.rounds[NOBODY.name]):.0f} {mode}" for mode, cell in modes.items())
    lines = [
        f"{measurements.title} (µs without instrumentation: {without})",
        "".join([" " * _LABEL_WIDTH, "spans  ", *(mode.ljust(_WIDTH) for mode in modes)]).rstrip(),
    ]
    for contender in contenders[1:]:
        spans = measurements.spans[contender.name]
        cells = (_added(cell.added(contender.name), spans).ljust(_WIDTH) for cell in modes.values())
        lines.append(f"  {contender.title:<{_LABEL_WIDTH - 2}}{spans:>5}  {''.join(cells)}".rstrip())
    for peer in (peer for peer in contenders if peer not in (NOBODY, OURS)):
        cells = (_ratio(cell, mode, peer.name).ljust(_WIDTH) for mode, cell in modes.items())
        lines.append(f"  {'ratio to ' + peer.title:<{_LABEL_WIDTH + 5}}{''.join(cells)}".rstrip())
    return "\n".join(lines)


def verdicts(measured: Mapping[str, Measurements]) -> str:
    """Return for each target of the programs that were measured whether it is reached."""
    titles = {contender.name: contender.title for contender in CONTENDERS}
    lines = []
    for target in TARGETS:
        cell = measured[target.program].modes.get(target.mode) if target.program in measured else None
        if cell is None:
            continue
        is_whole = target.peer == NOBODY.name
        ratio = 1 + cell.share(OURS.name) if is_whole else cell.ratio(target.peer)
        verdict = "reached" if ratio <= target.ratio else "NOT reached"
        of = "the program's own" if is_whole else titles[target.peer]
        lines.append(f"{target.program}, {target.mode}: at most {target.ratio:.2f} of {of}: {ratio:.2f}, {verdict}")
    return "\n".join(lines)


def _added(added: Sequence[float], spans: int) -> str:
    first, middle, third = quantiles(added, n=4)
    each = f" {middle / spans:6.1f}/span" if spans else ""
    return f"{middle:6.0f} ({first:.0f}..{third:.0f}){each}"


def _ratio(cell: Cell, mode: str, peer: str) -> str:
    # Suppressed, each only looks whether it is: a ratio of two small numbers, one of them of nothing at all.
    return "" if mode == "suppressed" else f"{cell.ratio(peer):6.2f}"
