"""What OpenInference spreads over numbered names: documents, texts that were embedded, evaluations, messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai

from .. import semconv
from . import words
from .bounds import dumped, fitted, parsed
from .conversations import chat_messages, flattened, holds_media

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

__all__ = ["documents_of", "items_of"]


def items_of(what: str, attributes: Mapping[str, Any], length: int) -> Iterator[dict[str, AttributeValue]]:
    """Yield the attributes of each item of a span, given its operation or else the first word of its name.

    They hold at most so many characters of text together.
    """
    left = length
    for item in _items_of(what, attributes, length):
        left -= sum(len(value) for value in item.values() if isinstance(value, str))
        if left < 0:
            return
        yield item


def _items_of(what: str, attributes: Mapping[str, Any], length: int) -> Iterator[dict[str, AttributeValue]]:
    if what in ("evaluate", "evaluate_example"):
        yield from _evaluations(attributes)
    elif what == "retrieval":
        yield from _documents(attributes)
    elif what == "embeddings":
        yield from _embedded_texts(attributes)
    elif what in ("chat", "text_completion"):
        yield from _messages(attributes, length)


def documents_of(attributes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the documents that were recorded of a search."""
    documents = parsed(attributes.get(gen_ai.GEN_AI_RETRIEVAL_DOCUMENTS))
    return [document for document in documents if isinstance(document, dict)] if isinstance(documents, list) else []


def _evaluations(attributes: Mapping[str, Any]) -> Iterator[dict[str, AttributeValue]]:
    name = attributes.get(gen_ai.GEN_AI_EVALUATION_NAME)
    score = attributes.get(semconv.DSPY_EVALUATE_SCORE, attributes.get(semconv.DSPY_EVALUATE_EXAMPLE_SCORE))
    if name is not None and score is not None:
        prefix = f"{words.EVALUATIONS}.0.evaluation"
        told: dict[str, AttributeValue] = {f"{prefix}.name": name, f"{prefix}.score": score}
        feedback = attributes.get(semconv.DSPY_EXAMPLE_FEEDBACK)
        if isinstance(feedback, str) and feedback:
            told[f"{prefix}.explanation"] = feedback
        yield told


def _documents(attributes: Mapping[str, Any]) -> Iterator[dict[str, AttributeValue]]:
    for number, document in enumerate(documents_of(attributes)):
        prefix = f"{words.RETRIEVAL_DOCUMENTS}.{number}.document"
        told: dict[str, AttributeValue] = {}
        for name in ("content", "id"):
            if document.get(name) is not None:
                told[f"{prefix}.{name}"] = str(document[name])
        if isinstance(document.get("score"), (int, float)):
            told[f"{prefix}.score"] = float(document["score"])
        if document.get("metadata"):
            told[f"{prefix}.metadata"] = dumped(document["metadata"])
        yield told


def _embedded_texts(attributes: Mapping[str, Any]) -> Iterator[dict[str, AttributeValue]]:
    found = parsed(attributes.get(semconv.DSPY_EMBEDDINGS_INPUTS))
    for number, text in enumerate(found if isinstance(found, list) else () if found is None else [found]):
        yield {f"{words.EMBEDDINGS}.{number}.embedding.text": str(text)}


def _messages(attributes: Mapping[str, Any], length: int) -> Iterator[dict[str, AttributeValue]]:
    """Yield all messages of a side that has media in it, as one: viewers make their own of the GenAI attributes.

    What stands for a picture they show as a picture, which is broken.
    """
    for prefix, name in (
        (words.INPUT_MESSAGES, gen_ai.GEN_AI_INPUT_MESSAGES),
        (words.OUTPUT_MESSAGES, gen_ai.GEN_AI_OUTPUT_MESSAGES),
    ):
        value = attributes.get(name)
        if holds_media(value):
            messages = parsed(fitted(chat_messages(value), length // 2))
            yield flattened(prefix, messages if isinstance(messages, list) else [])
