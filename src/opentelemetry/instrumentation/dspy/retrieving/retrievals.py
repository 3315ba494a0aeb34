"""What a retriever searches in, and what it is asked for."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from ..encodable import encodable
from ..language_models.providers import ServerAddress, server_of
from ..language_models.reply_values import member, name_of
from ..reading import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..calls import Call

__all__ = ["Retriever", "configured_retriever", "describe_retriever", "hands_on", "query_of", "top_k_of"]

_SOURCE_NAMES = ("data_source_id", "collection_name", "index_name", "table_name", "corpus_id", "knowledge_base_id")
"""How the attributes end in which DSPy's retrievers, and most others, keep what they search in."""

_SOURCE_OBJECTS = ("collection", "index", "table", "vectorstore", "vector_store", "store")
"""How the attributes end in which they keep an object that is what they search in, which knows its name."""

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
    settings = getattr(sys.modules.get("dspy"), "settings", None)
    return read(settings, "rm")


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


def _named_source(attributes: Mapping[str, Any]) -> str | None:
    for ending in _SOURCE_NAMES:
        for name, value in list(attributes.items()):
            if name.endswith(ending) and isinstance(value, str) and value:
                return encodable(value)
    for ending in _SOURCE_OBJECTS:
        for name, value in list(attributes.items()):
            if name.endswith(ending):
                found = value if isinstance(value, str) else _name_of_source(value)
                if found:
                    return encodable(found)
    return None


def _name_of_source(source: Any) -> str | None:
    named = (name_of(member(source, name)) for name in ("name", *_SOURCE_NAMES, "_collection_name", "_index_name"))
    return next((name for name in named if name is not None), None)


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
