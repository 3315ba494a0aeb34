"""The application's redaction: in force for every text from the moment it is given, or nothing is recorded.

There is one for each instrumentation, and all who record content ask it. It can be given to ``instrument()``, also
after ``opentelemetry-instrument`` has called that, or named in an environment variable; a name is looked up at the
first text, when the application has had time to define it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import logging
import sys
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import suppress_instrumentation

from .config import REDACT
from .reading import is_kind, name_of_type

if TYPE_CHECKING:
    from .config import Redact

__all__ = ["REDACTION_FAILED", "Redaction", "takes_text_and_kind"]

_logger = logging.getLogger(__name__)

REDACTION_FAILED = "[content dropped: the redaction function failed]"


class Redaction:
    """What is done to each text before it is recorded."""

    __slots__ = ("_complained", "_function", "_gave_up", "_name")

    def __init__(self, function: Redact | None = None, name: str | None = None) -> None:
        self._function = function
        self._name = name
        self._gave_up = False
        self._complained = False

    def take_over(self, function: Redact) -> None:
        """Let a function be in force from now on, in the place of any before it."""
        self._function = function

    @property
    def function(self) -> Redact | None:
        """The function that is in force; ``None`` where there is none, or it was not looked up yet."""
        return self._function

    @property
    def is_ready(self) -> bool:
        """Whether content may be recorded: there is no redaction, or it is in force."""
        if self._function is not None or self._name is None:
            return True
        return not self._gave_up and self._look_up(self._name)

    @property
    def is_given(self) -> bool:
        """Whether there is a redaction, in force or still to be looked up."""
        return self._function is not None or self._name is not None

    def text(self, value: str, kind: str) -> str:
        """Return what may be recorded of a text; of one that the function fails on nothing."""
        if not self.is_ready:
            return REDACTION_FAILED
        if self._function is None:
            return value
        try:
            # What it calls is no part of the trace: with DSPy in it, it would be asked about its own texts for ever.
            with suppress_instrumentation():
                redacted: Any = self._function(value, kind)
                if is_kind(redacted, int, float):
                    redacted = str(redacted)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the user's function must not end the user's call
            self._complain(f"it raised {name_of_type(error)}")
            return REDACTION_FAILED
        # By its own type, and its own characters: a class of the application's may say anything of itself.
        if is_kind(redacted, str):
            return str.__str__(redacted)
        if is_kind(redacted, CoroutineType):
            redacted.close()
        self._complain(f"it returned no text but {name_of_type(redacted)}")
        return REDACTION_FAILED

    def _look_up(self, name: str) -> bool:
        module_name, _, attribute = name.partition(":")
        try:
            module = _module(module_name)
            function: Any = module
            for part in attribute.split("."):
                function = getattr(function, part)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the application's module does when it is imported
            spec = getattr(sys.modules.get(module_name), "__spec__", None)
            if isinstance(error, AttributeError) and getattr(spec, "_initializing", False):
                # The module is being imported, and has not come as far as the function.
                return False
            # What else a module raises may quote anything.
            names = f": {error}" if isinstance(error, (ImportError, AttributeError)) else ""
            return self._give_up(f"{type(error).__name__}{names}")
        if not callable(function):
            return self._give_up(f"{name} is no function but {type(function).__name__}")
        if not takes_text_and_kind(function):
            return self._give_up(f"{name} does not take two arguments, a text and its kind")
        self._function = function
        return True

    def _give_up(self, why: str) -> bool:
        self._gave_up = True
        _logger.error(
            "%s=%s could not be loaded (%s). Content is not recorded, since it was to be redacted first. Name a "
            "function as package.module:function, in a module that can be imported where the program runs.",
            REDACT,
            self._name,
            why,
        )
        return False

    def _complain(self, what: str) -> None:
        if not self._complained:
            self._complained = True
            # The application's logging may raise as well, and the call must go on.
            with contextlib.suppress(Exception):
                # Neither the exception's text nor its stack: both may hold what was to be redacted.
                _logger.warning(
                    "The redact function failed (%s); the content that it was given is not recorded. It takes a text "
                    "and its kind, and returns the text to record. Further failures of it are not logged.",
                    what,
                )


def takes_text_and_kind(function: Any) -> bool:
    """Return whether a function can be called with a text and its kind, as far as it tells what it takes."""
    try:
        inspect.signature(function).bind("", "input")
    except TypeError:
        return False
    except ValueError:  # one that is written in C may not tell
        return True
    return True


def _module(name: str) -> Any:
    """Import a module; the program's own, which runs as ``__main__``, must not run a second time."""
    if name not in sys.modules:
        main = sys.modules.get("__main__")
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None and spec.origin == getattr(main, "__file__", None):
            return main
    return importlib.import_module(name)
