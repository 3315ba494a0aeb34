"""Scores over time, trials, the best so far, and what an optimizer run cost by role."""

from __future__ import annotations

from typing import Any

from .frame import frame
from .panels import DOLLARS, Query, bars, events, graph, scores, spans, words
from .searches import EVALUATION_SEARCHES, FEEDBACK, TRIALS, links
from .series import CALLS, in_range, mean, per_hour, per_minute, selected

__all__ = ["evaluations"]

BY = ("dspy_evaluate_metric", "dspy_module_name")
LEGEND = "{{dspy_evaluate_metric}} of {{dspy_module_name}}"
EXAMPLES = "dspy_evaluate_example_score"
ROLE = "dspy_optimizer_role"
IN_RUNS = f'{ROLE}!=""'


def evaluations() -> dict[str, Any]:
    """Return the dashboard."""
    return frame(
        "dspy-evaluations",
        "DSPy: evaluations and optimizers",
        "Scores of evaluations, trials and best scores of optimizer runs, and their cost by role.",
        {"Evaluations": _evaluations(), "Optimizers": _optimizers(), "Traces": _traces()},
    )


def _evaluations() -> list[Any]:
    grouped = ", ".join(BY)
    score = Query(f"max by ({grouped}) ({selected('dspy_evaluate_score')})", LEGEND)
    example = Query(mean(EXAMPLES, by=BY), LEGEND)
    counted = Query(per_minute(selected(f"{EXAMPLES}_count"), *BY), LEGEND)
    spread = f"sum by (le) (increase({selected(f'{EXAMPLES}_bucket')}[$__rate_interval]))"
    return [
        graph("Score of the last evaluation", score, from_zero=False, about="On DSPy's scale, mostly a percentage."),
        scores("Scores of examples", spread, about="How many examples had which score, of all metrics together."),
        bars("Mean score of an example", example, about="On the scale of the metric."),
        graph("Examples per minute", counted, about="Of evaluations, those of optimizers among them."),
    ]


def _optimizers() -> list[Any]:
    best = f"max by (dspy_optimizer_name) ({selected('dspy_optimizer_best_score')})"
    cost = selected("gen_ai_client_operation_cost_sum", IN_RUNS)
    calls = selected("gen_ai_client_operation_duration_seconds_count", CALLS, IN_RUNS)
    roles = "task: the program on its examples, judge: inside the metric, proposal: the optimizer's own."
    return [
        graph(
            "Best score so far",
            Query(best, "{{dspy_optimizer_name}}"),
            from_zero=False,
            about="On the optimizer's own scale.",
        ),
        graph(
            "Dollars per hour by role",
            Query(per_hour(cost, ROLE), f"{{{{{ROLE}}}}}"),
            unit=DOLLARS,
            stacked=True,
            about=roles,
        ),
        bars("Spent by role", Query(in_range(cost, ROLE), f"{{{{{ROLE}}}}}"), unit=DOLLARS, about=roles),
        bars("Calls by role", Query(in_range(calls, ROLE), f"{{{{{ROLE}}}}}"), about=roles),
        spans("Trials", TRIALS, about="Each row is a trial; click it for its candidate and its examples."),
    ]


def _traces() -> list[Any]:
    return [
        words("Searches, ready to click", links(EVALUATION_SEARCHES), width=12),
        events("Results and what users said", FEEDBACK, width=12, about="Each leads to its trace."),
    ]
