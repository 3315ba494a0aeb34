"""What a retriever searches in, and what it is asked for."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from ..encodable import encodable
from ..language_models.providers import ServerAddress, server_of
from ..language_models.reply_values import member, name_of
from ..reading import read, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..context import Call

__all__ = ["Retriever", "configured_retriever", "describe_retriever", "hands_on", "query_of", "top_k_of"]

_SOURCE_NAMES = (
    *("data_source_id", "collection_name", "index_name", "table_name", "corpus_id", "knowledge_base_id"),
    *("class_name", "namespace", "index_path", "persist_directory", "persist_path", "db_path"),
)
"""How the attributes end in which DSPy's retrievers, and most others, keep what they search in."""

_SOURCE_OBJECTS = ("collection", "index", "table", "vectorstore", "vector_store", "docstore", "store")
"""How the attributes end in which they keep an object that is what they search in, which knows its name."""

_HOLDERS = ("retriever", "rm", "searcher", "client", "database", "db", "config")
"""How the attributes end in which they keep an object that holds such a one."""

MAX_NAME_LENGTH = 200
"""Characters of a name; a text that is longer is something else."""

MAX_HOLDERS = 3
"""Objects inside one another that are looked into for a name."""

_SERVICES = {"DatabricksRM": "databricks", "WeaviateRM": "weaviate"}
"""``gen_ai.provider.name`` of DSPy's retrievers of a certain service."""


@dataclass(frozen=True, slots=True)
class Retriever:
    """Where a retriever searches; ``None`` where it does not tell."""

    data_source: str | None
    provider: str | None
    server: ServerAddress | None


def describe_retriever(retriever: Any) -> Retriever:
    """Return where a retriever searches: an index, a collection, or else the path or host of its URL."""
    own = read(retriever, "__dict__")
    attributes: Mapping[str, Any] = own if isinstance(own, dict) else {}
    url = attributes.get("url")
    server = server_of(url, attributes.get("databricks_endpoint"))
    ancestors = (ancestor.__name__ for ancestor in type(retriever).__mro__)
    return Retriever(
        data_source=_named_source(attributes) or (_source_of_url(url) if server else None),
        provider=next((_SERVICES[name] for name in ancestors if name in _SERVICES), None),
        server=server,
    )


def hands_on(retriever: Any) -> bool:
    """Return whether a retriever searches nothing itself, but asks the one that DSPy is configured with.

    That is what ``dspy.Retrieve`` does, unless a subclass has a ``forward`` of its own.
    """
    defining = next((ancestor for ancestor in type(retriever).__mro__ if "forward" in vars(ancestor)), None)
    return defining is not None and defining.__name__ == "Retrieve" and defining.__module__.startswith("dspy.")


def configured_retriever() -> Any:
    """Return the retriever that DSPy is configured with, where there is one."""
    return setting("rm")


def query_of(call: Call) -> Any:
    """Return what a retriever is asked: a text, several, or a vector."""
    if call.arguments:
        return call.arguments[0]
    named = call.keyword_arguments
    return next((named[name] for name in ("query", "query_or_queries") if name in named), None)


def top_k_of(call: Call) -> int | None:
    """Return how many documents a retriever is asked for: by the call, by the retriever, or by default."""
    retriever = call.instance
    candidates = (call.keyword_arguments.get("k"), *call.arguments[1:2], read(retriever, "k"))
    for candidate in (*candidates, _default_k(type(retriever))):
        if isinstance(candidate, int) and not isinstance(candidate, bool):
            return candidate
    return None


def _named_source(attributes: Mapping[str, Any], depth: int = MAX_HOLDERS) -> str | None:
    """Return the name of an index or collection that an object keeps, or that of an object which it keeps."""
    for ending in _SOURCE_NAMES:
        named = (_bounded(value) for name, value in list(attributes.items()) if str(name).lower().endswith(ending))
        if (found := next((text for text in named if text is not None), None)) is not None:
            return found
    for ending in (*_SOURCE_OBJECTS, *_HOLDERS):
        for name, value in list(attributes.items()):
            if str(name).lower().endswith(ending) and (found := _source_in(value, ending, depth)) is not None:
                return found
    return None


def _source_in(value: Any, ending: str, depth: int) -> str | None:
    if isinstance(value, str):
        return _bounded(value) if ending in _SOURCE_OBJECTS else None
    if ending in _SOURCE_OBJECTS and (found := _name_of_source(value)) is not None:
        return found
    inside = value if isinstance(value, dict) else member(value, "__dict__")
    return _named_source(inside, depth - 1) if isinstance(inside, dict) and depth > 0 else None


def _name_of_source(source: Any) -> str | None:
    named = (_bounded(member(source, name)) for name in ("name", *_SOURCE_NAMES, "_collection_name", "_index_name"))
    return next((name for name in named if name is not None), None)


def _bounded(value: Any) -> str | None:
    if isinstance(value, PurePath):
        value = str(value)
    return name_of(value) if isinstance(value, str) and len(value) <= MAX_NAME_LENGTH else None


def _source_of_url(url: Any) -> str | None:
    if not isinstance(url, str):
        return None
    url = encodable(url)
    parts = urlsplit(url if "//" in url else f"//{url}")
    return parts.path.strip("/") or parts.hostname


_default_ks: WeakKeyDictionary[type, Any] = WeakKeyDictionary()


def _default_k(retriever_class: type) -> Any:
    if retriever_class not in _default_ks:
        try:
            parameter = inspect.signature(retriever_class.__call__).parameters.get("k")
        except (TypeError, ValueError):
            parameter = None
        _default_ks[retriever_class] = None if parameter is None else parameter.default
    return _default_ks[retriever_class]
