"""What DSPy runs on each example, with the span of the example around it."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from ..optimization.evaluation_results import ExampleOutcome
from ..wrapping.complaints import without_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from .examples import OpenExample

__all__ = ["recording_examples"]

_logger = logging.getLogger(__name__)


def recording_examples(
    open_one: Callable[[Any], OpenExample], function: Callable[[Any], Any], read: Callable[[Any], ExampleOutcome]
) -> Callable[[Any], Any]:
    """Return a function that does what the given one does, with the span of an example around it.

    It runs in DSPy's threads, outside of what ``patching`` guards, so it keeps our failures from the program itself.
    """

    def with_span(item: Any) -> Any:
        try:
            opened = open_one(item)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here is ours, and the program must go on
            _complain(error)
            return function(item)
        try:
            result = function(item)
        except BaseException as error:
            _end(opened, _failure, error)
            raise
        _end(opened, read, result)
        return result

    return with_span


def _failure(error: BaseException) -> ExampleOutcome:
    return ExampleOutcome(error=error, failed=True)


def _end(opened: OpenExample, read: Callable[[Any], ExampleOutcome], result: Any) -> None:
    try:
        try:
            opened.outcome = read(result)
        finally:
            opened.end()
    except Exception as error:  # noqa: BLE001 - as above
        _complain(error)


_complained: set[type] = set()


def _complain(error: Exception) -> None:
    """Log a failure of our own, once for each type of exception."""
    if type(error) in _complained:
        return
    _complained.add(type(error))
    # The application's logging may raise as well, from a filter or a handler, and the evaluation must go on.
    with contextlib.suppress(Exception):
        _logger.warning(
            "The span of an example failed; the evaluation goes on without it. Further failures of this kind are not "
            "logged.",
            exc_info=without_text(error),
        )
