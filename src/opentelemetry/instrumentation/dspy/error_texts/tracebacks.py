"""The steps of an exception's traceback, as many of them as can be looked at in no time.

A traceback grows with each time that one and the same exception is raised, without end.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType, TracebackType

    Place: TypeAlias = "tuple[FrameType, TracebackType | None]"

__all__ = ["MAX_STEPS", "innermost_frame", "kept_places", "line_number_of", "own", "steps_of"]

MAX_STEPS = 5_000
"""Steps of one traceback that are looked at, from the outermost on."""

MAX_STEPS_TO_INNERMOST = 100_000
"""Steps that are gone over where only the last one is asked for."""


def own(error: BaseException, name: str) -> Any:
    """Return what Python keeps of an exception, whatever its class has under the name."""
    return vars(BaseException)[name].__get__(error)


def steps_of(error: BaseException) -> Iterator[TracebackType]:
    """Yield the steps of a traceback, the outermost first."""
    step: TracebackType | None = own(error, "__traceback__")
    for _ in range(MAX_STEPS):
        if step is None:
            return
        yield step
        step = step.tb_next


def innermost_frame(error: BaseException) -> FrameType | None:
    """Return the frame that an exception was raised in, ``None`` where there is none or the way there is too long."""
    step: TracebackType | None = own(error, "__traceback__")
    for _ in range(MAX_STEPS_TO_INNERMOST):
        if step is None or step.tb_next is None:
            return None if step is None else step.tb_frame
        step = step.tb_next
    return None


def kept_places(
    places: Iterable[Place], outer: int, inner: int, is_left_out: Callable[[FrameType], bool]
) -> tuple[list[Place], int]:
    """Return the outermost and the innermost places, and how many are between them; only these few are looked at."""
    rest = iter(places)
    first = [*islice((place for place in rest if not is_left_out(place[0])), outer)]
    # As many again: some of them are left out.
    latest: deque[Place] = deque(maxlen=2 * inner)
    skipped = 0
    for place in rest:
        skipped += len(latest) == latest.maxlen
        latest.append(place)
    last = [place for place in latest if not is_left_out(place[0])]
    return [*first, *last[-inner:]], skipped + max(0, len(last) - inner)


def line_number_of(place: Place) -> int:
    """Return the line that a place stands for, which takes Python a look at all lines of the function."""
    frame, step = place
    return frame.f_lineno if step is None else step.tb_lineno
