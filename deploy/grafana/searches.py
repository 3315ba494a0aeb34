"""Searches in traces and events, as links that open them in Grafana's Explore.

Every query here was answered by a real Tempo or Loki (docs/deploy.md). In TraceQL a double compares with a double
alone: ``score < 1.0`` finds what ``score < 1`` does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CALL_SEARCHES", "EVALUATION_SEARCHES", "EXCEPTIONS", "FEEDBACK", "PROGRAM_SEARCHES", "TRIALS", "links"]


@dataclass(frozen=True, slots=True)
class Search:
    """A question and the TraceQL that answers it."""

    question: str
    query: str


COST = "span.gen_ai.usage.cost.amount"

CALL_SEARCHES = (
    Search(
        "Every model call with its tokens and price",
        f'{{ span.gen_ai.operation.name = "chat" }} | select(span.gen_ai.usage.input_tokens, {COST})',
    ),
    Search("Calls that cost more than a hundredth of a cent", f"{{ {COST} > 0.0001 }} | select({COST})"),
    Search("Whole runs that cost more than a tenth of a cent", "{ span.dspy.usage.cost > 0.001 }"),
    Search("Answers from DSPy's cache", "{ span.dspy.cache.hit = true } | select(span.dspy.cache.saved_cost)"),
    Search("Failed model calls", '{ span.gen_ai.operation.name = "chat" && status = error } | select(span.error.type)'),
    Search("Calls that were tried more than once", "{ span.dspy.lm.attempts > 1 } | select(span.dspy.lm.attempts)"),
    Search("Adapters that fell back, each a second paid call", '{ event:name = "dspy.adapter.fallback" }'),
)

PROMPT_VERSIONS = (
    '{ span.gen_ai.operation.name = "chat" && span.gen_ai.prompt.name != "" } '
    f"| select(span.gen_ai.prompt.name, span.gen_ai.prompt.version, {COST})"
)

PROGRAM_SEARCHES = (
    Search("Programs that took longer than two seconds", '{ name =~ "invoke_workflow.*" && duration > 2s }'),
    Search("Where it broke", '{ event:name = "exception" } | select(span.error.type)'),
    Search("Tools that agents called", '{ name =~ "invoke_agent.*" } > { name =~ "execute_tool.*" }'),
    Search(
        "How agents ended", '{ span.dspy.agent.termination_reason != "" } | select(span.dspy.agent.termination_reason)'
    ),
    Search("Each version of each prompt", PROMPT_VERSIONS),
)

EVALUATION_SEARCHES = (
    Search("Examples below full score", "{ span.dspy.evaluate.example.score < 1.0 }"),
    Search(
        "Evaluations and their scores",
        '{ name =~ "evaluate .*" } | select(span.dspy.evaluate.score, span.dspy.usage.cost)',
    ),
    Search(
        "Optimizer runs: best score and what they cost",
        '{ name =~ "optimize [A-Z].*" } | select(span.dspy.optimizer.best_score, span.dspy.usage.cost)',
    ),
    Search("Everything in optimizer runs", '{ span.dspy.optimizer.run_id != "" }'),
)

TRIALS = (
    '{ name = "optimize_trial" } | select(span.dspy.optimizer.trial, span.dspy.optimizer.trial.score, '
    "span.dspy.optimizer.best_score, span.dspy.optimizer.trial.kind, span.dspy.usage.cost)"
)

EXCEPTIONS = (
    '{service_name=~"$service"} | event_name=~"gen_ai.*exception" '
    "| line_format `{{.event_name}}: {{.exception_type}} {{.exception_message}}`"
)
FEEDBACK = (
    '{service_name=~"$service"} | event_name="gen_ai.evaluation.result" '
    "| line_format "
    "`{{.gen_ai_evaluation_name}} = {{.gen_ai_evaluation_score_value}} {{.gen_ai_evaluation_score_label}}`"
)


def links(searches: Sequence[Search]) -> str:
    """Return a list in Markdown, each search a link that opens it over the time that the dashboard shows."""
    return "\n".join(f"- [{search.question}]({_explore(search.query)})  \n  `{search.query}`" for search in searches)


def _explore(query: str) -> str:
    source = {"type": "tempo", "uid": "${tempo}"}
    asked = {
        "refId": "A",
        "datasource": source,
        "queryType": "traceql",
        "query": query,
        "tableType": "spans",
        "limit": 50,
    }
    pane = {"datasource": "${tempo}", "queries": [asked], "range": {"from": "${__from}", "to": "${__to}"}}
    # Grafana puts the values of its variables in before it looks at the link.
    return f"/explore?schemaVersion=1&orgId=1&panes={quote(json.dumps({'traces': pane}), safe='${}_')}"
