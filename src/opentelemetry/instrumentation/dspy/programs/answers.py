"""The fields of what a module answered, without what it tells of its way there."""

from __future__ import annotations

from typing import Any

from ..reading import is_kind, read
from .module_classes import ModuleKind, classify
from .predictions import origin_of, without_trace
from .program_signatures import output_names

__all__ = ["answer_fields", "names_beside_answer"]

_ADDED_BY_AGENTS = frozenset({"actions", "final_reasoning", "history", "reasoning", "termination_reason", "trajectory"})
"""Fields that DSPy's agents add to those of their signature; the spans below show what they hold."""

_ADDED_TO_THINK = frozenset({"reasoning"})
"""What ``ChainOfThought`` adds."""


def names_beside_answer(module: Any, result: Any) -> frozenset[str]:
    """Return the fields of what a module returned that tell of the way to its answer.

    A program that hands on what a module inside of it answered hands on that module's.
    """
    module_class = classify(type(module))
    if module_class.kind is ModuleKind.AGENT:
        return _ADDED_BY_AGENTS - output_names(module)
    if module_class.hides_reasoning:
        return _ADDED_TO_THINK
    origin = origin_of(without_trace(result))
    return frozenset() if origin is None else origin.beside


def answer_fields(answer: Any) -> dict[str, Any] | None:
    """Return the fields of a prediction that are its answer, by name; ``None`` for what is no prediction."""
    fields, origin = read(answer, "_store"), origin_of(answer)
    if not is_kind(fields, dict):
        return None
    beside = frozenset() if origin is None else origin.beside
    return {name: value for name, value in fields.items() if name not in beside} or dict(fields)
