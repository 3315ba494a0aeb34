"""The fields of what a module answered; of an agent, without what it tells of its way there."""

from __future__ import annotations

from typing import Any

from ..reading import is_kind, read
from .module_classes import ModuleKind, classify
from .program_signatures import output_names

__all__ = ["answer_fields"]

_BESIDE_THE_ANSWER = frozenset(
    {"actions", "final_reasoning", "history", "reasoning", "termination_reason", "trajectory"}
)
"""Fields that DSPy's agents add to those of their signature; the spans below show what they hold."""


def answer_fields(module: Any, answer: Any) -> dict[str, Any] | None:
    """Return the fields of a prediction by name, ``None`` for what is no prediction."""
    fields = read(answer, "_store")
    if not is_kind(fields, dict):
        return None
    if classify(type(module)).kind is not ModuleKind.AGENT:
        return dict(fields)
    beside = _BESIDE_THE_ANSWER - output_names(module)
    return {name: value for name, value in fields.items() if name not in beside}
