"""The cells of the table that tell of evaluations and optimizers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .words import counted, dollars, of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .expected import Expected
    from .seen import Seen

__all__ = ["evaluation", "optimizer"]

_SCORE, _EXAMPLE_SCORE = "dspy.evaluate.score", "dspy.evaluate.example.score"
_TRIAL_SCORE, _BEST_SCORE = "dspy.optimizer.trial.score", "dspy.optimizer.best_score"
_RUN, _COST = "dspy.optimizer.run_id", "dspy.usage.cost"


def evaluation(seen: Seen, expected: Expected) -> str:
    """Return how many traces it is in, whether its score can be found, and how many examples have one."""
    traces = _traces_about(seen, expected.questions)
    own = [span.attributes for span in seen.spans if span.trace in traces]
    runs = [run for run in seen.runs if not run.is_part and run.scored_examples]
    scores = [held[_SCORE] for held in own if _SCORE in held] + [
        value for run in runs for value in run.metrics.values()
    ]
    scored = sum(_EXAMPLE_SCORE in held for held in own) + sum(run.scored_examples for run in runs)
    return f"{_told(len(traces), scores)}; {of(scored, len(expected.questions))} examples scored"


def optimizer(seen: Seen, expected: Expected) -> str:
    """Return how many traces it is in and how many tell of which run, its trials, its best score and its cost."""
    named = {span.trace for span in seen.spans if _RUN in span.attributes}
    traces = _traces_about(seen, expected.trained) | named
    named |= {row.trace for row in seen.rows if row.run}
    trials = sum(_TRIAL_SCORE in span.attributes for span in seen.spans) + sum(run.is_part for run in seen.runs)
    best = [span.attributes[_BEST_SCORE] for span in seen.spans if _BEST_SCORE in span.attributes]
    best += [
        value for run in seen.runs if not run.is_part and not run.scored_examples for value in run.metrics.values()
    ]
    costs = [
        span.attributes[_COST] for span in seen.roots if span.name.startswith("optimize ") and _COST in span.attributes
    ]
    told = [
        _told(len(traces), [max(best)] if best else []),
        f"{of(len(traces & named), len(traces))} name the run",
        f"{of(trials, expected.trials)} trials scored",
        f"cost {dollars(sum(costs)) if costs else 'none'}",
    ]
    return "; ".join(told)


def _told(traces: int, scores: list[float]) -> str:
    known = ", ".join(dict.fromkeys(f"{score:g}" for score in scores))
    return f"{counted(traces, 'trace')}; score {known or 'none'}"


def _traces_about(seen: Seen, questions: Iterable[str]) -> set[str]:
    return {span.trace for span in seen.spans if any(question in span.input for question in questions)}
