"""What one recorded call has opened: it ends with the call, in one place for all recorders, whatever happens before.

A span, a context that was entered, a trial: each is noted with the call that answers for its end. They end in reverse
order, with the error that ended the call, after its recording took note of what there is to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import attach, get_current
from opentelemetry.trace import get_current_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from .context import Call, Opening

__all__ = ["abandon", "carry_on", "end_openings", "note", "note_failure"]


def note(call: Call, opening: Opening) -> None:
    """Let a call answer for the end of what was opened."""
    opening.below = call.opened
    call.opened = opening


def carry_on(call: Call, describe: Callable[..., object], *arguments: object) -> None:
    """Do what the beginning of a call can do without: where it fails, its call is recorded all the same.

    What fails is told of once, like every failure of ours.
    """
    try:
        describe(*arguments)
    except Exception as error:  # noqa: BLE001 - told of by whoever began the call
        note_failure(call, error)


def note_failure(call: Call, error: Exception) -> None:
    """Note a failure of ours that does not end the recording of a call, once for each type of exception."""
    if call.failures is None:
        call.failures = []
    if type(error) not in map(type, call.failures):
        call.failures.append(error)


def end_openings(call: Call, error: BaseException | None) -> None:
    """End what is open still; what one of them raises keeps none of the others open."""
    while call.opened is not None:
        opening = call.opened
        call.opened, opening.below = opening.below, None
        try:
            opening.end(error)
        except BaseException:
            end_openings(call, error)
            raise


def abandon(call: Call, before: Context) -> None:
    """Leave a call whose recording could not begin: nothing stays open, and the context is the one before."""
    try:
        end_openings(call, None)
    finally:
        _go_back_to(before)


def _go_back_to(context: Context) -> None:
    """Leave what nobody noted: util-genai may fail between the start of a span and the moment when it hands it out."""
    if get_current() is context:
        return
    left_open = get_current_span()
    attach(context)
    if left_open is not get_current_span():
        left_open.end()
