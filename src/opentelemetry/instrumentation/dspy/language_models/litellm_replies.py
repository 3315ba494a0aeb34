"""LiteLLM as ``dspy.clients.embedding`` sees it: the replies that DSPy takes the vectors from tell the tokens too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wrapt

from ..context import current_call

if TYPE_CHECKING:
    from collections.abc import Callable

    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    # wrapt's classes take parameters in their stubs alone.
    _ObjectProxy = wrapt.ObjectProxy

__all__ = ["ObservedLiteLLM", "observed_getter"]


class ObservedLiteLLM(_ObjectProxy):
    """The module ``litellm``, which tells of its replies to an embedder. All else is the module's own."""

    def embedding(self, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Compute embeddings as ``litellm.embedding`` does."""
        return _noted(self.__wrapped__.embedding(*arguments, **keyword_arguments))

    async def aembedding(self, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Compute embeddings as ``litellm.aembedding`` does."""
        return _noted(await self.__wrapped__.aembedding(*arguments, **keyword_arguments))


def observed_getter(getter: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that returns the module that another one returns, observed."""

    def get_observed() -> Any:
        return ObservedLiteLLM(getter())

    return get_observed


def _noted(reply: Any) -> Any:
    embedding = current_call().embedding
    if embedding is not None:
        embedding.note_reply(reply)
    return reply
