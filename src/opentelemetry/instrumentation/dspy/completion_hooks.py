"""The completion hook of an application: it is given the content of each operation, and its failures stay its own."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.util.genai.completion_hook import load_completion_hook

from .reading import name_of_type

if TYPE_CHECKING:
    from opentelemetry.util.genai.completion_hook import CompletionHook

__all__ = ["completion_hook_of"]

_logger = logging.getLogger(__name__)

_DOES_NOTHING = "_NoOpCompletionHook"
"""The class of util-genai's own, for which it takes no content together."""


def completion_hook_of(given: CompletionHook | None) -> CompletionHook:
    """Return the hook that was given, by default the one that the environment names.

    What it raises is told once: util-genai would log it with each call, and with its text, which may quote anything.
    """
    hook = given or load_completion_hook()
    hook = getattr(hook, "_wrapped", hook)
    return hook if type(hook).__name__ == _DOES_NOTHING else _GuardedHook(hook)


class _GuardedHook:
    __slots__ = ("_complained", "_hook")

    def __init__(self, hook: CompletionHook) -> None:
        self._hook = hook
        self._complained = False

    def on_completion(self, **completion: Any) -> None:
        try:
            # What it calls is no part of the trace: with DSPy in it, it would be called for its own calls for ever.
            with suppress_instrumentation():
                self._hook.on_completion(**completion)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the application's hook must not end the application's call
            self._complain(error)

    def _complain(self, error: BaseException) -> None:
        if self._complained:
            return
        self._complained = True
        # The application's logging may raise as well, and the call must go on.
        with contextlib.suppress(Exception):
            _logger.warning(
                "The completion hook %s raised %s; the operation goes on without it. Further failures of it are not "
                "logged.",
                name_of_type(self._hook),
                name_of_type(error),
            )
