"""Reading environment variables: a value that is none is logged, with what it takes, and the default is used."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["choice_in", "log_invalid", "switch_in", "whole_number_in"]

_logger = logging.getLogger(f"{__package__}.config")
"""Of the options, whichever file reads them: the doctor hears it by its name."""

Choice = TypeVar("Choice", bound=str)


def whole_number_in(variables: Mapping[str, str], name: str, default: int, unit: str) -> int:
    """Return a whole number above zero, of what ``unit`` says."""
    text = variables.get(name, "").strip()
    if not text:
        return default
    # Python refuses to read a number of thousands of digits.
    if text.isdecimal() and len(text) < 19 and int(text) > 0:
        return int(text)
    log_invalid(name, text, f"it takes a whole number of {unit} above zero. The default, {default}, is used.")
    return default


def choice_in(variables: Mapping[str, str], name: str, choices: tuple[Choice, ...], default: Choice) -> Choice:
    """Return one of the choices, in whatever case it is written."""
    text = variables.get(name, "").strip().lower()
    if not text:
        return default
    for choice in choices:
        if text == choice:
            return choice
    log_invalid(name, text, f"it takes one of {', '.join(choices)}. The default, {default}, is used.")
    return default


def switch_in(variables: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """Return ``true`` or ``false``."""
    text = variables.get(name, "").strip().lower()
    if text in ("true", "false"):
        return text == "true"
    if text:
        log_invalid(name, text, f"it takes true or false. The default, {str(default).lower()}, is used.")
    return default


def log_invalid(name: str, text: str, what_it_takes: str, level: int = logging.WARNING) -> None:
    """Log that the value of a variable is none."""
    _logger.log(level, "%s=%r is not valid: %s", name, text, what_it_takes)
