"""What a retriever found, from the shapes that DSPy passes around."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from numbers import Integral
from typing import TYPE_CHECKING, Any, Final

from ..reading import read
from ..slots import OwnSlot
from .fields import fields_of

if TYPE_CHECKING:
    from . import Content

__all__ = ["RETRIEVAL", "FoundDocument", "RetrievalCall", "documents_of", "recorded_documents"]

MAX_DOCUMENTS = 1_000
"""Documents of one result that are looked at."""

_TEXTS = ("long_text", "text", "content", "page_content")
_IDENTIFIERS = ("pid", "id", "doc_id", "document_id", "_id")
_TEXT_COLUMNS = ("passages", "docs", "long_text", "documents", "chunks", "context", "texts")
_IDENTIFIER_COLUMNS = ("indices", "doc_ids", "pid", "ids")


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """One document of a retriever's result."""

    text: str | None
    identifier: str | None = None
    score: float | None = None
    metadata: Any = None
    """What else the retriever told of it."""


@dataclass(frozen=True, slots=True)
class FoundDocuments:
    """The documents of a retriever's result."""

    first: list[FoundDocument]
    """As many of them as are looked at."""
    count: int
    """How many there are; lists in the list behind them count as one each."""


@dataclass(slots=True)
class RetrievalCall:
    """A search under way that another retriever carries out: that one tells here what it found."""

    found: list[FoundDocument] = field(default_factory=list)

    def completed(self, document: FoundDocument) -> FoundDocument:
        """Return a document with the id and the score that were lost on its way through ``dspy.Retrieve``."""
        if document.text is None or document.identifier is not None or document.score is not None:
            return document
        return next((found for found in self.found if found.text == document.text), document)


RETRIEVAL: Final = OwnSlot[RetrievalCall]("retrieval")
"""Where a call hands the search on to another retriever."""


def documents_of(result: Any) -> FoundDocuments | None:
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
        return FoundDocuments([_document(result)], 1)
    documents, count, left = list[FoundDocument](), 0, len(result)
    for item in islice(result, MAX_DOCUMENTS):
        found = _columns(item) or FoundDocuments([_document(item)], 1)
        documents += found.first
        count, left = count + found.count, left - 1
        if len(documents) >= MAX_DOCUMENTS:
            break
    return FoundDocuments(documents[:MAX_DOCUMENTS], count + max(0, left))


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


def _columns(result: Any) -> FoundDocuments | None:
    """Return the documents of a prediction, which has their texts, ids and scores in lists beside each other."""
    store = read(result, "_store")
    if not isinstance(store, Mapping):
        return None
    texts = _first_list(store, *_TEXT_COLUMNS) or []
    identifiers = _first_list(store, *_IDENTIFIER_COLUMNS) or []
    scores = _first_list(store, "scores", "score")
    if scores is None:
        extras = _first_list(store, "extra_columns") or ()
        scores = [_member(extra, "score") for extra in extras[:MAX_DOCUMENTS]]
    # What else stands in lists beside the texts belongs to them: addresses, titles, metadata.
    known = {*_TEXT_COLUMNS, *_IDENTIFIER_COLUMNS, "scores", "score"}
    beside = {name: value for name, value in store.items() if name not in known and _is_list(value, len(texts))}
    first = [
        _with_metadata(text, _at(identifiers, index), _at(scores, index), _row(beside, index))
        for index, text in enumerate(texts[:MAX_DOCUMENTS])
    ]
    return FoundDocuments(first, len(texts))


def _row(columns: Mapping[str, Sequence[Any]], index: int) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, values in columns.items():
        value = values[index]
        # Databricks has several columns in one.
        row.update(value if name == "extra_columns" and isinstance(value, Mapping) else {name: value})
    return row


def _with_metadata(text: Any, identifier: Any, score: Any, metadata: Mapping[str, Any]) -> FoundDocument:
    found = FoundDocument(text) if isinstance(text, str) else _document(text)
    left = {name: value for name, value in metadata.items() if name != "score" and value is not None}
    return FoundDocument(
        found.text,
        found.identifier if identifier is None else _identifier(identifier),
        found.score if score is None else _score(score),
        {**(found.metadata or {}), **left} or None,
    )


def _document(item: Any) -> FoundDocument:
    if isinstance(item, str):
        return FoundDocument(item)
    metadata = _member(item, "metadata")
    text = next((found for name in _TEXTS if (found := _text(_member(item, name))) is not None), None)
    identifiers = (_member(source, name) for source in (item, metadata) for name in _IDENTIFIERS)
    scores = (_member(source, "score") for source in (item, metadata))
    beside = {name: value for name, value in (fields_of(item) or {}).items() if name not in ("metadata", "type")}
    told = {**beside, **(metadata if isinstance(metadata, Mapping) else {})}
    left = {name: value for name, value in told.items() if value != text and not _is_told(name, value)}
    return FoundDocument(text, _identifier(_first(identifiers)), _score(_first(scores)), left or None)


def _is_told(name: Any, value: Any) -> bool:
    return value is None or name == "score" or (name in _IDENTIFIERS and _identifier(value) is not None)


def _is_list(value: Any, length: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == length


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
