"""What a span of each kind was given and what came of it, from the attributes that the recorders set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from .. import semconv
from .bounds import parsed
from .conversations import ChatMessage, chat_messages, texts
from .lists import documents_of
from .shown import Shown, content, counted, json_of, scored, summary, text_or_json, tokens, used

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["sides_of"]

Attributes: TypeAlias = "Mapping[str, Any]"
Sides: TypeAlias = "tuple[Shown | None, Shown | None]"


def sides_of(what: str, attributes: Attributes) -> Sides:
    """Return input and output of a span, given its operation or else the first word of its name."""
    return _SIDES.get(what, _module)(attributes)


def _module(attributes: Attributes) -> Sides:
    given, _, returned = str(attributes.get(semconv.DSPY_SIGNATURE_FIELDS, "")).partition(" -> ")
    name = attributes.get(semconv.DSPY_MODULE_NAME) or attributes.get(semconv.DSPY_ADAPTER_NAME)
    size = counted(attributes.get(semconv.DSPY_BATCH_SIZE), "item")
    inputs = content(attributes, semconv.DSPY_MODULE_INPUTS) or content(attributes, semconv.DSPY_ADAPTER_INPUTS)
    outputs = content(attributes, semconv.DSPY_MODULE_OUTPUTS) or content(attributes, semconv.DSPY_ADAPTER_OUTPUTS)
    return (
        inputs or summary(given or name or size),
        outputs or summary(returned, *used(attributes)) or summary("done"),
    )


def _program(attributes: Attributes) -> Sides:
    given, returned = _module(attributes)
    return (
        _texts_of(attributes, gen_ai.GEN_AI_INPUT_MESSAGES) or given,
        _texts_of(attributes, gen_ai.GEN_AI_OUTPUT_MESSAGES) or returned,
    )


def _texts_of(attributes: Attributes, name: str) -> Shown | None:
    said = texts(attributes.get(name))
    return _as_it_is(attributes, name) if said is None else text_or_json(said)


def _as_it_is(attributes: Attributes, name: str) -> Shown | None:
    """Return messages that cannot be read, because the SDK cut them for instance."""
    value = attributes.get(name)
    return Shown(value) if isinstance(value, str) and value and parsed(value) is None else None


def _language_model(attributes: Attributes) -> Sides:
    messages = chat_messages(attributes.get(gen_ai.GEN_AI_INPUT_MESSAGES))
    asked = json_of({"messages": messages}) if messages else _as_it_is(attributes, gen_ai.GEN_AI_INPUT_MESSAGES)
    replies = chat_messages(attributes.get(gen_ai.GEN_AI_OUTPUT_MESSAGES))
    answered = _reply(replies) if replies else _as_it_is(attributes, gen_ai.GEN_AI_OUTPUT_MESSAGES)
    hit = "cache hit" if attributes.get(semconv.DSPY_CACHE_HIT) else None
    reasons = dict.fromkeys(attributes.get(gen_ai.GEN_AI_RESPONSE_FINISH_REASONS) or ())
    model = attributes.get(gen_ai.GEN_AI_REQUEST_MODEL)
    return (
        asked or summary(attributes.get(gen_ai.GEN_AI_PROMPT_NAME) or model),
        answered or summary(hit, *reasons, tokens(attributes)) or summary("done"),
    )


def _reply(replies: list[ChatMessage]) -> Shown | None:
    """Return one reply that is a text as that text, any other as the choices of a chat completion."""
    if len(replies) == 1 and "tool_calls" not in replies[0]:
        text = replies[0]["content"] or replies[0].get("reasoning_content")
        return Shown(text) if text else None
    return json_of({"choices": [{"index": index, "message": message} for index, message in enumerate(replies)]})


def _tool(attributes: Attributes) -> Sides:
    arguments, result = (
        attributes.get(gen_ai.GEN_AI_TOOL_CALL_ARGUMENTS),
        attributes.get(gen_ai.GEN_AI_TOOL_CALL_RESULT),
    )
    return (
        text_or_json(arguments) if arguments else summary(attributes.get(gen_ai.GEN_AI_TOOL_NAME)),
        text_or_json(str(result)) if result is not None else summary("done"),
    )


def _retrieval(attributes: Attributes) -> Sides:
    top_k, query = attributes.get("gen_ai.retrieval.top_k"), attributes.get(gen_ai.GEN_AI_RETRIEVAL_QUERY_TEXT)
    asked = summary(attributes.get(gen_ai.GEN_AI_DATA_SOURCE_ID), "search" if top_k is None else f"top {top_k}")
    found = [document["content"] for document in documents_of(attributes) if isinstance(document.get("content"), str)]
    count = counted(attributes.get(semconv.DSPY_DOCUMENTS_COUNT), "document")
    return (
        text_or_json(query) if isinstance(query, str) and query else asked,
        json_of(found) if found else summary(count or "done"),
    )


def _embeddings(attributes: Attributes) -> Sides:
    model = attributes.get(gen_ai.GEN_AI_REQUEST_MODEL)
    dimensions = counted(attributes.get(gen_ai.GEN_AI_EMBEDDINGS_DIMENSION_COUNT), "dimension")
    hit = "cache hit" if attributes.get(semconv.DSPY_CACHE_HIT) else None
    return (
        content(attributes, semconv.DSPY_EMBEDDINGS_INPUTS) or summary(model),
        summary(hit, dimensions, tokens(attributes)) or summary("done"),
    )


def _evaluation(attributes: Attributes) -> Sides:
    metric = attributes.get(semconv.DSPY_EVALUATE_METRIC)
    failures = attributes.get(semconv.DSPY_EVALUATE_FAILURES)
    examples = counted(attributes.get(semconv.DSPY_EVALUATE_EXAMPLES), "example")
    return (
        summary(attributes.get(semconv.DSPY_MODULE_NAME), examples, metric and f"metric {metric}"),
        summary(
            scored(attributes.get(semconv.DSPY_EVALUATE_SCORE)),
            counted(failures, "failure") if failures else None,
            *used(attributes),
        ),
    )


def _example(attributes: Attributes) -> Sides:
    index, score = attributes.get(semconv.DSPY_EXAMPLE_INDEX), attributes.get(semconv.DSPY_EVALUATE_EXAMPLE_SCORE)
    given = content(attributes, semconv.DSPY_EXAMPLE_INPUTS)
    answered = _fields(
        attributes,
        prediction=semconv.DSPY_EXAMPLE_PREDICTION,
        expected=semconv.DSPY_EXAMPLE_LABELS,
        feedback=semconv.DSPY_EXAMPLE_FEEDBACK,
    )
    error = attributes.get(ERROR_TYPE)
    if error is not None:
        answered = {"error": error, **answered}
    if answered and score is not None:
        answered = {"score": score, **answered}
    return (
        given or summary("example" if index is None else f"example {index}"),
        json_of(answered) if answered else summary(scored(score), *used(attributes)) or summary("no score"),
    )


def _optimization(attributes: Attributes) -> Sides:
    best = attributes.get(semconv.DSPY_OPTIMIZER_BEST_SCORE)
    chosen = _fields(
        attributes,
        instructions=semconv.DSPY_OPTIMIZER_BEST_INSTRUCTIONS,
        demos=semconv.DSPY_OPTIMIZER_BEST_DEMOS,
    )
    if chosen and best is not None:
        chosen = {"best_score": best, **chosen}
    optimized = (
        attributes.get(semconv.DSPY_MODULE_NAME),
        counted(attributes.get(semconv.DSPY_OPTIMIZER_TRAINSET_SIZE), "training example"),
        counted(attributes.get(semconv.DSPY_OPTIMIZER_VALSET_SIZE), "validation example"),
    )
    reached = (
        None if best is None else f"best {scored(best)}",
        counted(attributes.get(semconv.DSPY_OPTIMIZER_TRIALS), "trial"),
        *used(attributes),
    )
    return (
        summary(*optimized) or summary(attributes.get(semconv.DSPY_OPTIMIZER_NAME)),
        json_of(chosen) if chosen else summary(*reached) or summary("done"),
    )


def _trial(attributes: Attributes) -> Sides:
    number, kind = attributes.get(semconv.DSPY_OPTIMIZER_TRIAL), attributes.get(semconv.DSPY_OPTIMIZER_TRIAL_KIND)
    accepted = attributes.get(semconv.DSPY_OPTIMIZER_TRIAL_ACCEPTED)
    tried = _fields(
        attributes,
        instructions=semconv.DSPY_OPTIMIZER_TRIAL_INSTRUCTIONS,
        demos=semconv.DSPY_OPTIMIZER_TRIAL_DEMOS,
    )
    reached = (
        scored(attributes.get(semconv.DSPY_OPTIMIZER_TRIAL_SCORE)),
        None if accepted is None else "accepted" if accepted else "not accepted",
        *used(attributes),
    )
    return (
        json_of(tried) if tried else summary(None if number is None else f"trial {number}", kind),
        summary(*reached) or summary("no score"),
    )


def _fields(attributes: Attributes, **names: str) -> dict[str, Any]:
    """Return content attributes by words for them, as the values that they are JSON of; none where it is off."""
    told = {}
    for word, name in names.items():
        value = attributes.get(name)
        if isinstance(value, str) and value:
            found = parsed(value)
            told[word] = value if found is None else found
    return told


_SIDES: dict[str, Callable[[Attributes], Sides]] = {
    "chat": _language_model,
    "text_completion": _language_model,
    "embeddings": _embeddings,
    "retrieval": _retrieval,
    "execute_tool": _tool,
    "invoke_agent": _program,
    "invoke_workflow": _program,
    "evaluate": _evaluation,
    "evaluate_example": _example,
    "optimize": _optimization,
    "optimize_trial": _trial,
}
