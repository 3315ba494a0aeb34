"""What a retriever found, from the shapes that DSPy passes around."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any

from ..reading import read

if TYPE_CHECKING:
    from . import Content

__all__ = ["FoundDocument", "RetrievalCall", "documents_of", "recorded_documents"]

_TEXTS = ("long_text", "text", "content", "page_content")
_IDENTIFIERS = ("pid", "id", "doc_id", "document_id")


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """One document of a retriever's result."""

    text: str | None
    identifier: str | None = None
    score: float | None = None
    metadata: Any = None
    """What else the retriever told of it."""


@dataclass(slots=True)
class RetrievalCall:
    """A search under way that another retriever carries out: that one tells here what it found."""

    found: list[FoundDocument] = field(default_factory=list)

    def completed(self, document: FoundDocument) -> FoundDocument:
        """Return a document with the id and the score that were lost on its way through ``dspy.Retrieve``."""
        if document.text is None or document.identifier is not None or document.score is not None:
            return document
        return next((found for found in self.found if found.text == document.text), document)


def documents_of(result: Any) -> list[FoundDocument] | None:
    """Return the documents of a result: a prediction of passages, or a list of passages in any of DSPy's shapes.

    ``None`` where there is nothing to look into: what is found can be taken from an iterator only once, and that is
    for the program to do.
    """
    if result is None or isinstance(result, Iterator):
        return None
    columns = _columns(result)
    if columns is not None:
        return columns
    if isinstance(result, (str, Mapping)) or not isinstance(result, Collection):
        return [_document(result)]
    documents: list[FoundDocument] = []
    for item in result:
        documents.extend(_columns(item) or [_document(item)])
    return documents


def recorded_documents(content: Content, documents: Iterable[FoundDocument]) -> list[Mapping[str, object]]:
    """Return documents as ``gen_ai.retrieval.documents`` has them, without what is not known.

    They are mappings since util-genai's ``RetrievalDocument`` has no room for the text, which the conventions allow,
    and writes an unknown id as null, which they do not.
    """
    recorded: list[Mapping[str, object]] = []
    for document in documents:
        values = {
            "id": None if document.identifier is None else content.text(document.identifier, "output"),
            "score": document.score,
            "content": None if document.text is None else content.text(document.text, "output"),
            "metadata": None if not document.metadata else content.value(document.metadata, "output"),
        }
        recorded.append({name: value for name, value in values.items() if value is not None})
    return recorded


def _columns(result: Any) -> list[FoundDocument] | None:
    """Return the documents of a prediction, which has their texts, ids and scores in lists beside each other."""
    store = read(result, "_store")
    if not isinstance(store, Mapping):
        return None
    texts = _first_list(store, "passages", "docs", "long_text") or []
    identifiers = _first_list(store, "indices", "doc_ids", "pid") or []
    scores = _first_list(store, "scores", "score")
    if scores is None:
        scores = [_member(extra, "score") for extra in store.get("extra_columns") or ()]
    extras = _first_list(store, "extra_columns") or []
    return [
        FoundDocument(
            _text(text),
            _identifier(_at(identifiers, index)),
            _score(_at(scores, index)),
            _without(_at(extras, index), "score"),
        )
        for index, text in enumerate(texts)
    ]


def _document(item: Any) -> FoundDocument:
    if isinstance(item, str):
        return FoundDocument(item)
    metadata = _member(item, "metadata")
    text = next((found for name in _TEXTS if (found := _text(_member(item, name))) is not None), None)
    identifiers = (_member(source, name) for source in (item, metadata) for name in _IDENTIFIERS)
    scores = (_member(source, "score") for source in (item, metadata))
    extra = _without(metadata, "score", *_IDENTIFIERS) if isinstance(metadata, Mapping) else None
    return FoundDocument(text, _identifier(_first(identifiers)), _score(_first(scores)), extra)


def _without(values: Any, *names: str) -> dict[Any, Any] | None:
    if not isinstance(values, Mapping):
        return None
    return {name: value for name, value in values.items() if name not in names and value is not None} or None


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else read(value, name)


def _first_list(store: Mapping[str, Any], *names: str) -> Sequence[Any] | None:
    return next((store[name] for name in names if isinstance(store.get(name), (list, tuple))), None)


def _at(values: Any, index: int) -> Any:
    return values[index] if index < len(values) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _identifier(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # JSON of services that know one kind of number
    return str(value) if isinstance(value, (str, Integral)) and not isinstance(value, bool) else None


def _score(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
