"""An optimizer run while it goes: a line for each trial, and none for the many examples behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..amounts import money_words
from ..semconv import (
    DSPY_EXAMPLE_INDEX,
    DSPY_OPTIMIZER_BEST_SCORE,
    DSPY_OPTIMIZER_COST,
    DSPY_OPTIMIZER_METRIC_CALLS,
    DSPY_OPTIMIZER_METRIC_CALLS_REMAINING,
    DSPY_OPTIMIZER_NAME,
    DSPY_OPTIMIZER_PLANNED_TRIALS,
    DSPY_OPTIMIZER_RUN_ID,
    DSPY_OPTIMIZER_TRIAL,
    DSPY_OPTIMIZER_TRIAL_ACCEPTED,
    DSPY_OPTIMIZER_TRIAL_KIND,
    DSPY_OPTIMIZER_TRIAL_SCORE,
)
from .tree import attributes_of, build_tree, number_of
from .words import Part, duration_words, error_words, tidy, total_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from .pending import Piece

__all__ = ["is_example_of_run", "is_trial", "trial_words"]

_TRIAL: Final = "optimize_trial"


def is_trial(span: ReadableSpan) -> bool:
    """Return whether a span is one candidate or iteration of an optimizer."""
    return span.name == _TRIAL and DSPY_OPTIMIZER_RUN_ID in attributes_of(span)


def is_example_of_run(piece: Piece) -> bool:
    """Return whether a piece is the trace of an example of an optimizer run: its trial tells all that is worth it."""
    if piece.kind != "complete":
        return False
    found = attributes_of(piece.roots[0].span)
    return DSPY_OPTIMIZER_RUN_ID in found and DSPY_EXAMPLE_INDEX in found


def _expected(span: ReadableSpan, cost: float) -> Iterator[Part]:
    """Give out what the whole run will have cost, if what is left costs as much as what is done."""
    used, left = number_of(span, DSPY_OPTIMIZER_METRIC_CALLS), number_of(span, DSPY_OPTIMIZER_METRIC_CALLS_REMAINING)
    trial, planned = number_of(span, DSPY_OPTIMIZER_TRIAL), number_of(span, DSPY_OPTIMIZER_PLANNED_TRIALS)
    if used and left is not None:
        done, total = used, used + left
    elif trial is not None and planned is not None:
        done, total = trial + 1, planned
    else:
        return
    if cost and done < total:
        yield Part(f"about {money_words(cost * total / done)} in all", "yellow")


def trial_words(span: ReadableSpan) -> list[Part]:
    """Return a trial in the words of one line: what it scored, the best so far, what it cost and the run so far."""
    attributes = attributes_of(span)
    [node] = build_tree(span, {}, {})
    name = tidy(str(attributes.get(DSPY_OPTIMIZER_NAME, "")), 60)
    kind = tidy(str(attributes.get(DSPY_OPTIMIZER_TRIAL_KIND, "")), 20)
    words = [Part(f"{name} trial {attributes.get(DSPY_OPTIMIZER_TRIAL)} {kind}", "bold")]
    for attribute, label in ((DSPY_OPTIMIZER_TRIAL_SCORE, "score"), (DSPY_OPTIMIZER_BEST_SCORE, "best")):
        number = number_of(span, attribute)
        if number is not None:
            words.append(Part(f"{label} {number:.4g}", "bold"))
    accepted = attributes.get(DSPY_OPTIMIZER_TRIAL_ACCEPTED)
    if accepted is not None:
        words.append(Part("accepted", "green") if accepted else Part("not accepted", "dim"))
    words.extend(total_words(node.summary))
    cost = number_of(span, DSPY_OPTIMIZER_COST)
    if cost is not None:
        words.append(Part(f"{money_words(cost)} so far", "yellow"))
        words.extend(_expected(span, cost))
    words.append(Part(duration_words(node.duration)))
    if node.error is not None:
        words.append(Part(error_words(node.error, with_message=True, survived=False), "red"))
    return words
