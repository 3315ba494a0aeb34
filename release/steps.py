"""The steps of the check: each ends well, fails, or cannot be done here, and says so in one line."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["BUILD", "ROOT", "FailedError", "Report", "UnreachableError", "run"]

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
"""Where everything is put that the check makes."""

Outcome: TypeAlias = Literal["ok", "FAILED", "NOT CHECKED"]


class FailedError(Exception):
    """What was checked is not as it should be."""


class UnreachableError(Exception):
    """A service that the check needs could not be asked: nothing is known of what it would have said."""


def run(command: Sequence[str | Path], **settings: Any) -> str:
    """Run a command and return what it printed on standard output.

    Raises:
        FailedError: it ended with another code than 0; the error holds the end of what it printed.
    """
    ended = subprocess.run(
        [str(part) for part in command], cwd=settings.pop("cwd", ROOT), capture_output=True, text=True, **settings
    )
    if ended.returncode != 0:
        said = "\n".join((ended.stdout + ended.stderr).strip().splitlines()[-20:])
        raise FailedError(f"{' '.join(str(part) for part in command)}\nended with {ended.returncode}:\n{said}")
    return ended.stdout


@dataclass(slots=True)
class Report:
    """The steps that were taken, and how they ended."""

    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)

    def take(self, title: str, step: Callable[[], str]) -> None:
        """Take a step, which returns what it found, and print how it ended."""
        outcome: Outcome = "ok"
        try:
            found = step()
        except FailedError as error:
            outcome, found = "FAILED", str(error)
        except UnreachableError as error:
            outcome, found = "NOT CHECKED", str(error)
        self.outcomes.append((title, outcome))
        first, *others = found.splitlines() or [""]
        print(f"{outcome:12}{title}: {first}", *(f"{'':12}{line}" for line in others), sep="\n", flush=True)

    def code(self, *, may_leave_out: bool) -> int:
        """Print the sum and return the exit code: 1 if a step failed, or could not be taken and must be."""
        counts = dict.fromkeys(("ok", "FAILED", "NOT CHECKED"), 0)
        for _, outcome in self.outcomes:
            counts[outcome] += 1
        print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
        return int(counts["FAILED"] > 0 or (counts["NOT CHECKED"] > 0 and not may_leave_out))
