"""What a metric gave for one example: a number, a word for it, and the reason, from whatever shape it came in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Score", "score_of"]

MAX_LABEL_LENGTH = 100
"""Characters of a label; a metric that answers in words is to use few of them."""


MAX_DEPTH = 4
"""Results inside one another in which a score is looked for."""


@dataclass(frozen=True, slots=True)
class Score:
    """One result of a metric."""

    value: float | None = None
    """The number; 1 for true, 0 for false; ``None`` for a metric that answers in words, and for what is not finite."""
    label: str | None = None
    """``true`` or ``false``, or the word of a metric that answers in words."""
    explanation: str | None = None
    """The metric's feedback. Content."""


def score_of(result: Any, *, depth: int = 0) -> Score:
    """Read what a metric returned: bool, number, string, ``Prediction(score=, feedback=)``, or a dict of the two."""
    # numpy's bool is no bool, and is named ``bool_`` before numpy 2.
    if isinstance(result, bool) or type(result).__name__ in ("bool", "bool_"):
        return Score(1.0 if result else 0.0, "true" if result else "false")
    if isinstance(result, str):
        return Score(label=result[:MAX_LABEL_LENGTH].encode(errors="replace").decode())
    fields = _fields(result)
    if fields is not None and depth < MAX_DEPTH and "score" in fields:
        score = score_of(fields["score"], depth=depth + 1)
        feedback = fields.get("feedback")
        return Score(score.value, score.label, feedback if isinstance(feedback, str) else None)
    return Score(_number(result))


def _fields(result: Any) -> Mapping[str, Any] | None:
    if isinstance(result, Mapping):
        return result
    store = getattr(result, "_store", None)
    return store if isinstance(store, Mapping) else None


def _number(result: Any) -> float | None:
    try:
        value = float(result)
    except (TypeError, ValueError, AttributeError, OverflowError):
        return None
    return value if math.isfinite(value) else None
