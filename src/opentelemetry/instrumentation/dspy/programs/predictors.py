"""The predictors of a program, and what their prompts consist of, for those who tell about the program as a whole."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from ..reading import is_kind, read, read_past
from .demos import listed_demos
from .module_classes import classify
from .places import modules_below

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_PREDICTORS", "first_demos", "instructions_of", "predictors_of"]

MAX_PREDICTORS = 100
"""Predictors of one program that are told about."""

MAX_DEMOS = 20
"""Demonstrations of one predictor that are told."""

_ITSELF = "self"
"""The path that ``named_predictors()`` gives to a predictor that is the whole program."""


def predictors_of(program: Any) -> list[tuple[str, Any]]:
    """Return path and predictor for the predictors of a program, none for what is no module."""
    return [*islice(_predictors(program), MAX_PREDICTORS)]


def _predictors(program: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(type(program), "named_predictors"):
        return
    if classify(type(program)).is_predictor and _has_prompt(program):
        yield _ITSELF, program
    for path, module in modules_below(program):
        if classify(type(module)).is_predictor and _has_prompt(module):
            yield path, module


def _has_prompt(module: Any) -> bool:
    """Return whether a module sends a prompt of its own; a chain of thought of DSPy has a predictor that does."""
    signature = read_past(module, "__dict__").get("signature")
    # On the metaclass, which has it as a property: asked for on the class it would be worked out.
    return hasattr(type(signature), "input_fields")


def instructions_of(predictor: Any) -> str:
    """Return the instructions in a predictor's prompt."""
    instructions = read(read(predictor, "signature"), "instructions")
    return instructions if is_kind(instructions, str) and isinstance(instructions, str) else ""


def first_demos(demos: Any) -> list[Any]:
    """Return the first of a predictor's demonstrations, and how many there are beside them.

    Those that can be read once only are left to the program.
    """
    listed = listed_demos(demos)
    if not listed:
        return []
    more = len(listed) - MAX_DEMOS
    shown = [*islice(listed, MAX_DEMOS)]
    return shown if more <= 0 else [*shown, f"… [{more} more items]"]
