"""Where this library does otherwise than the conventions, each with its reason."""

from __future__ import annotations

__all__ = ["BEYOND", "EVERYWHERE", "KEPT"]

KEPT: dict[str, str] = {
    "gen_ai.workflow.name": "`opentelemetry-util-genai` sets it and backends show it; on workflows "
    "`gen_ai.agent.name` stands beside it",
    "gen_ai.client.operation.duration": "what `opentelemetry-util-genai` records; for embeddings it is the name still",
    "gen_ai.client.operation.time_to_first_chunk": "what `opentelemetry-util-genai` records",
    "gen_ai.client.operation.time_per_output_chunk": "what `opentelemetry-util-genai` records",
    "gen_ai.client.token.usage": "what `opentelemetry-util-genai` records",
    "gen_ai.invoke_workflow.duration": "what `opentelemetry-util-genai` records",
    "gen_ai.token.type": "an attribute of `gen_ai.client.token.usage`",
}
"""Names that the conventions have replaced and that are emitted all the same."""

EVERYWHERE: dict[str, str] = {
    "error.type": "what ended a call, on whatever stands for it: core conventions, *Recording errors*",
    "gen_ai.conversation.id": "all spans of a conversation are found by it, whatever they stand for",
}
"""Attributes that stand on every place of ours."""

_INSIDE = ("span module", "span Parallel", "span KNN", "span adapter")
_PRICED = "embeddings cost money too; the proposal speaks of language models alone"
_NAMED = "DSPy's own modules are no operation of the conventions; with a name of theirs GenAI views show them"

_OF_CALLS = (
    "metric gen_ai.client.operation.cost",
    "metric gen_ai.client.operation.duration",
    "metric gen_ai.client.operation.time_per_output_chunk",
    "metric gen_ai.client.operation.time_to_first_chunk",
    "metric gen_ai.client.token.usage",
)

BEYOND: dict[str, tuple[tuple[str, ...], str]] = {
    "gen_ai.workflow.name": (_INSIDE, _NAMED),
    "gen_ai.agent.name": (("span module", "span adapter"), _NAMED),
    "gen_ai.prompt.name": (
        ("span module", "span KNN", "span adapter", "log event dspy.prompt", *_OF_CALLS),
        f"{_NAMED}; on metrics of calls it says which prompt a bill is for",
    ),
    "gen_ai.prompt.version": (("log event dspy.prompt",), "the event tells what stands behind name and version"),
    "gen_ai.evaluation.name": (
        ("span evaluate", "span evaluate_example"),
        "the conventions have an event for a result, and no span for an evaluation",
    ),
    "gen_ai.request.model": (
        ("metric dspy.cache.requests", "metric dspy.cache.saved_cost", "metric dspy.lm.retries"),
        "metrics of this library about calls of models",
    ),
    "gen_ai.usage.cost.amount": (("span embeddings",), _PRICED),
    "gen_ai.usage.cost.currency": (("span embeddings", "metric dspy.cache.saved_cost"), _PRICED),
    "gen_ai.usage.cost.source": (
        ("span embeddings",),
        f"{_PRICED}. Of its values the proposal has `provider` and `local`; `custom`, a price that the application "
        "gives, is this library's",
    ),
}
"""Attributes of the conventions on spans, metrics and events that the conventions do not know, or not with them."""
