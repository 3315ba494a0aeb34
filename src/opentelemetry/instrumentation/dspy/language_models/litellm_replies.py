"""LiteLLM as DSPy's clients see it: it shows the replies that DSPy takes vectors from, and the streams it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wrapt

from ..context import current_call, lm_call_under_way

if TYPE_CHECKING:
    from collections.abc import Callable

    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    # wrapt's classes take parameters in their stubs alone.
    _ObjectProxy = wrapt.ObjectProxy

__all__ = ["ObservedLiteLLM", "observed_getter"]


class ObservedLiteLLM(_ObjectProxy):
    """The module ``litellm``, which tells of its embeddings and of its streams. All else is the module's own."""

    async def acompletion(self, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Ask a language model as ``litellm.acompletion`` does."""
        reply = await self.__wrapped__.acompletion(*arguments, **keyword_arguments)
        if keyword_arguments.get("stream") and (under_way := lm_call_under_way()) is not None:
            under_way.litellm_stream = reply
        return reply

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
