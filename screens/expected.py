"""What there is to be seen: what the program did, and what its model's service counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Bill

__all__ = ["Expected", "expected_of"]


@dataclass(frozen=True, slots=True)
class Expected:
    """The whole, of which the cells tell the parts."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    embedding_tokens: int
    embeddings: int
    dollars: float
    turns: int
    tools: tuple[str, ...]
    searches: int
    passages: int
    questions: tuple[str, ...]
    """Of the evaluation."""
    score: float
    trained: tuple[str, ...]
    """Questions of the optimizer."""
    trials: int


def expected_of(bill: Bill) -> Expected:
    """Return the program's own numbers with those of the bill."""
    # Only where the program can run: the page is written without DSPy.
    from . import program

    return Expected(
        bill.input_tokens,
        bill.cached_tokens,
        bill.output_tokens,
        bill.embedding_tokens,
        bill.embeddings,
        bill.dollars,
        program.TURNS,
        program.TOOLS,
        program.SEARCHES,
        program.PASSAGES,
        tuple(program.EVALUATED),
        program.SCORE,
        tuple(program.TRAINING),
        program.TRIALS,
    )
