"""Where a budget ends: what stopped the calls inside comes out as an ordinary error."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from threading import get_ident
from typing import TYPE_CHECKING, Any

from ..context import NO_CALL, current_call
from ..reading import read
from ..usage import outwards
from .stop import BudgetStop

if TYPE_CHECKING:
    from types import FrameType

    from ..usage import UsageScope

__all__ = ["come_out_of_outermost_call", "ordinary_error"]

MAX_PARTS = 100_000
"""Exceptions of a group, and of the groups in it, that are looked at."""


def ordinary_error(error: BaseException, scope: UsageScope) -> BaseException | None:
    """Return what leaves a block in place of an exception; ``None`` where the exception itself does.

    The stop of a budget around the block goes on as it is. Task groups hand out what their tasks raised in an
    exception group; if that holds anything else, it stays one, with the ordinary error in it.
    """
    if isinstance(error, BudgetStop):
        return error.ordinary() if _ends_in(error, scope) else None
    replaced = _in_place_of(error, scope).get(id(error))
    return None if replaced is None else replaced.error


def come_out_of_outermost_call(stop: BudgetStop) -> None:
    """Raise the ordinary error, where a stop leaves the outermost call of DSPy and no block is there to end it.

    That is so for the budget of a process, behind a block that was left, in a thread that works for several blocks, in
    a forked process, whose block ends in the other one, and in a worker of a pool of ``multiprocessing``, thread or
    process, of which the block knows nothing: such a pool waits for ever for a worker that dies of what is no
    ``Exception``.
    """
    scope, call, here = stop.scope, current_call(), (os.getpid(), get_ident())
    is_ended_by_block = call is not NO_CALL and not (scope.is_process or scope.is_left)
    while call.around is not None:
        call = call.around
    if scope.place[0] != here[0]:
        is_end = call.place is None or call.place[0] != here[0]
    elif scope.place != here and call.place != here and _is_in_pool():
        is_end = True
    else:
        is_end = call is NO_CALL and not is_ended_by_block
    if is_end:
        raise stop.ordinary() from stop


def _is_in_pool() -> bool:
    """Return whether a worker of one of the pools of ``multiprocessing`` runs this code."""
    pools = sys.modules.get("multiprocessing.pool")
    if pools is None:
        return False
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code is not pools.worker.__code__:
        frame = frame.f_back
    return frame is not None


def _ends_in(stop: BudgetStop, scope: UsageScope) -> bool:
    return any(around is scope for around in outwards(stop.scope))


@dataclass(frozen=True, slots=True)
class _Replaced:
    """What stands in the place of an exception."""

    error: BaseException
    is_all: bool
    """Whether there was nothing else in the exception."""


def _in_place_of(error: BaseException, scope: UsageScope) -> dict[int, _Replaced | None]:
    """Return what stands in the place of an exception and of those in it, each of them once and by identity.

    A stack, not a recursion: groups may be nested deeper than Python lets its calls be, and have a part in common.
    """
    known: dict[int, _Replaced | None] = {}
    waiting: list[BaseException] = [error]
    around: set[int] = set()
    while waiting:
        latest = waiting[-1]
        parts = _parts_of(latest)
        inside = [part for part in parts if id(part) not in known and id(part) not in around]
        if inside and len(known) + len(waiting) < MAX_PARTS:
            around.add(id(latest))
            waiting += reversed(inside)
            continue
        waiting.pop()
        known[id(latest)] = _replaced(latest, parts, known, scope)
    return known


def _replaced(
    error: Any, parts: tuple[BaseException, ...], known: dict[int, _Replaced | None], scope: UsageScope
) -> _Replaced | None:
    if not parts:
        is_stop = isinstance(error, BudgetStop) and _ends_in(error, scope)
        return _Replaced(error.ordinary(), True) if is_stop else None
    replaced = [known.get(id(part)) for part in parts]
    stops = [each for each in replaced if each is not None]
    if not stops:
        return None
    if len(stops) == len(parts) and all(each.is_all for each in stops):
        return stops[0]
    mixed = [part if each is None else each.error for part, each in zip(parts, replaced, strict=True)]
    return _Replaced(error.derive(mixed), False)


def _parts_of(error: BaseException) -> tuple[BaseException, ...]:
    """Return the exceptions in a group, none of any other exception."""
    parts = read(error, "exceptions")
    return parts if isinstance(parts, tuple) and hasattr(type(error), "derive") else ()
