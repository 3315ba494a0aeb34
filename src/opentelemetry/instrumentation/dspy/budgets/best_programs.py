"""The best program that an optimizer has tried, kept for the case that a budget ends the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opentelemetry.instrumentation.utils import suppress_instrumentation

__all__ = ["BestPrograms"]


@dataclass(slots=True)
class BestPrograms:
    """Copies of the programs that were the best when they were scored: optimizers go on to change what they tried."""

    _whole: Any = None
    _part: Any = None

    @property
    def best(self) -> Any:
        """The best that was scored on all data; before there is one, the best on a part; ``None`` if none was."""
        return self._part if self._whole is None else self._whole

    def note(self, kind: str, program: Any) -> None:
        """Keep a program that has the best score so far of its kind of trial."""
        if kind == "full":
            self._whole = _copy(program)
        elif kind == "minibatch":
            self._part = _copy(program)


def _copy(program: Any) -> Any:
    copy = getattr(type(program), "deepcopy", None)
    if copy is None:
        return program
    try:
        with suppress_instrumentation():
            return copy(program)
    except Exception:  # noqa: BLE001 - a program of the application may refuse to be copied
        return program
