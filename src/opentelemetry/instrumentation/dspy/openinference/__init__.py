"""OpenInference's words beside ours: what Phoenix, Arize and MLflow read, and the GenAI conventions do not give them.

One function maps what the recorders recorded on a span, when it ends; the recorders know nothing of it. What is content
is taken from content attributes alone, so consent, redaction and bounds are theirs. Where there is none a summary
stands in its place, which says how much and how well, and nothing of what. Tokens, cost and models are left to the
GenAI attributes, which those backends read too: told twice they would be added up twice.

Names and meanings: OpenInference's semantic conventions for traces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from .. import semconv
from ..encodable import encodable
from ..wrapping.complaints import Complaints
from . import words
from .bounds import dumped
from .lists import items_of
from .shown import summary, used
from .sides import sides_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

    from .shown import Shown

__all__ = ["OpenInferenceMirror"]

_KINDS = {
    "chat": words.LLM,
    "text_completion": words.LLM,
    "embeddings": words.EMBEDDING,
    "retrieval": words.RETRIEVER,
    "execute_tool": words.TOOL,
    "invoke_agent": words.AGENT,
    "evaluate": words.EVALUATOR,
    "evaluate_example": words.EVALUATOR,
}
"""The kind of each ``gen_ai.operation.name``, or else of each first word of a span's name; all others are chains."""

_METADATA = {
    "metric": (semconv.DSPY_EVALUATE_METRIC, gen_ai.GEN_AI_EVALUATION_NAME),
    "examples": semconv.DSPY_EVALUATE_EXAMPLES,
    "index": semconv.DSPY_EXAMPLE_INDEX,
    "score": (semconv.DSPY_EVALUATE_SCORE, semconv.DSPY_EVALUATE_EXAMPLE_SCORE, semconv.DSPY_OPTIMIZER_TRIAL_SCORE),
    "optimizer": semconv.DSPY_OPTIMIZER_NAME,
    "run": semconv.DSPY_OPTIMIZER_RUN_ID,
    "trial": semconv.DSPY_OPTIMIZER_TRIAL,
    "accepted": semconv.DSPY_OPTIMIZER_TRIAL_ACCEPTED,
    "best_score": semconv.DSPY_OPTIMIZER_BEST_SCORE,
}
"""What can be filtered and sorted by of evaluations and optimizer runs."""

_WITH_METADATA = ("evaluate", "evaluate_example", "optimize", "optimize_trial")

TEXTS_OF_A_SIDE = 4
"""An input or an output may be as long as so many of the texts in it."""

DEFAULT_ATTRIBUTE_LIMIT = 128
"""Attributes that the SDK keeps of a span unless it is told otherwise; a new one pushes the oldest out."""

MAX_ATTRIBUTES = 1_024
"""Attributes up to which lists are told where the SDK has no limit."""


class OpenInferenceMirror:
    """Maps the attributes of a span of ours; called once for each span, at its end.

    ``max_length`` is the number of characters that are kept of a text.
    """

    def __init__(self, max_length: int) -> None:
        self._max_length = TEXTS_OF_A_SIDE * max_length
        self._complaints = Complaints()

    def __call__(self, name: str, span: Span) -> dict[str, AttributeValue]:
        """Return what to add to a span that started with this name."""
        try:
            return self._of(name, span)
        except Exception as error:  # noqa: BLE001 - what was recorded must end well without its mirror
            self._complaints.about(self, error)
            return {}

    def _of(self, name: str, span: Span) -> dict[str, AttributeValue]:
        # A span of the API alone keeps no attributes.
        attributes: Mapping[str, Any] = getattr(span, "attributes", None) or {}
        limit, longest = _limits_of(span)
        length = self._max_length if longest is None else min(self._max_length, longest)
        told: dict[str, AttributeValue] = {}
        room = limit - len(attributes)
        for item in _told(name, span, attributes, length):
            # What an application or another instrumentation has set is theirs.
            new = {key: _encodable(value) for key, value in item.items() if key not in attributes}
            # What was recorded must not be pushed out by its own mirror.
            room -= len(new)
            if room < 0:
                break
            told.update(new)
        return told


def _encodable(value: AttributeValue) -> AttributeValue:
    return encodable(value) if isinstance(value, str) else value


def _told(name: str, span: Span, attributes: Mapping[str, Any], length: int) -> Iterator[dict[str, AttributeValue]]:
    """Yield what belongs together, the most important first."""
    what = str(attributes.get(gen_ai.GEN_AI_OPERATION_NAME) or name.partition(" ")[0])
    yield {words.SPAN_KIND: _KINDS.get(what, words.CHAIN)}
    given, returned = sides_of(what, attributes)
    if ERROR_TYPE in attributes and not (returned is not None and returned.is_content):
        # A column of a list is as wide as the name of a class, without that of its module.
        returned = summary(str(attributes[ERROR_TYPE]).rpartition(".")[2], *used(attributes))
    yield from _side(words.INPUT, given, attributes, length)
    yield from _side(words.OUTPUT, returned, attributes, length)
    if getattr(span, "parent", name) is None:
        yield {words.MLFLOW_TRACE_NAME: getattr(span, "name", name)}
    if gen_ai.GEN_AI_CONVERSATION_ID in attributes:
        yield {words.SESSION_ID: attributes[gen_ai.GEN_AI_CONVERSATION_ID]}
    if "enduser.id" in attributes:
        yield {words.USER_ID: attributes["enduser.id"]}
    metadata = _metadata(attributes) if what in _WITH_METADATA else {}
    if metadata:
        yield {words.METADATA: dumped(metadata)}
    yield from items_of(what, attributes, length)


def _side(
    side: str, shown: Shown | None, attributes: Mapping[str, Any], length: int
) -> Iterator[dict[str, AttributeValue]]:
    name = f"{side}.value"
    # Ours would be the type of a value that is not.
    if shown is not None and shown.value and name not in attributes:
        shown = shown.bounded(length)
        yield {name: shown.value, f"{side}.mime_type": shown.mime_type}


def _metadata(attributes: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for word, names in _METADATA.items():
        for name in (names,) if isinstance(names, str) else names:
            if name in attributes:
                told.setdefault(word, attributes[name])
    return told


def _limits_of(span: Span) -> tuple[int, int | None]:
    """Return how many attributes the SDK keeps of a span, and how many characters of each, ``None`` for all."""
    # The SDK tells it nowhere else: a provider may have limits other than those of the environment.
    kept = getattr(span, "_attributes", None)
    limit = getattr(kept, "maxlen", DEFAULT_ATTRIBUTE_LIMIT)
    return (MAX_ATTRIBUTES if limit is None else limit), getattr(kept, "max_value_len", None)
