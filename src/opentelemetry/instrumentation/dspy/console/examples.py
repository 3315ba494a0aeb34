"""The examples of an evaluation: which of them passed, and which a person wants to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..semconv import DSPY_EVALUATE_EXAMPLE_SCORE, DSPY_EXAMPLE_INDEX
from .tree import attributes_of, number_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .tree import Node

__all__ = ["is_example", "is_scored", "passed_examples", "worst_first"]

_EXAMPLE: Final = "evaluate_example"
_FULL_SCORE: Final = 1.0
_ROUNDING: Final = 1e-9


def is_example(node: Node) -> bool:
    """Whether a span is one example of an evaluation."""
    return node.span.name == _EXAMPLE or DSPY_EXAMPLE_INDEX in attributes_of(node.span)


def is_scored(node: Node) -> bool:
    """Whether a span is an example that a metric gave a score to."""
    return is_example(node) and _score_of(node) is not None


def passed_examples(nodes: Iterable[Node]) -> list[Node]:
    """Return those of some siblings that are examples which passed.

    An example passed if nothing ended it and its score is full: true, 1, or above 1 the highest that any of its
    siblings has, since a metric's scale is nowhere told. 0.9 has not passed; 8 has beside 8 and 3, not beside 10.
    An example without a score has neither passed nor failed.
    """
    scored = [(node, score) for node in nodes if is_example(node) and (score := _score_of(node)) is not None]
    full = max((_FULL_SCORE, *(score for _, score in scored)))
    return [node for node, score in scored if score >= full - _ROUNDING and node.error is None]


def worst_first(node: Node) -> tuple[bool, float]:
    """Return what puts siblings in an order: those that failed, then the lowest scores, then those without any."""
    score = _score_of(node)
    return (node.error is None, float("inf") if score is None else score)


def _score_of(node: Node) -> float | None:
    return number_of(node.span, DSPY_EVALUATE_EXAMPLE_SCORE)
