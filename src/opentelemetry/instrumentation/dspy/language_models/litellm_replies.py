"""LiteLLM as DSPy's clients see it: it shows the replies that DSPy takes vectors from, and the streams it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wrapt

from ..budgets.enforcement import BOUNDS
from ..budgets.senders import admit_litellm_request
from ..context import current_call
from ..retrieving.embedding_calls import EMBEDDING
from .lm_calls import lm_call_in

if TYPE_CHECKING:
    from collections.abc import Callable

    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    # wrapt's classes take parameters in their stubs alone.
    _ObjectProxy = wrapt.ObjectProxy

__all__ = ["ObservedLiteLLM", "observed_getter"]


class ObservedLiteLLM(_ObjectProxy):
    """The module ``litellm``, which tells of its embeddings and of its streams. All else is the module's own."""

    def completion(self, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Ask a language model as ``litellm.completion`` does."""
        return _sending(self.__wrapped__.completion)(*arguments, **keyword_arguments)

    def text_completion(self, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Ask a language model as ``litellm.text_completion`` does."""
        return _sending(self.__wrapped__.text_completion)(*arguments, **keyword_arguments)

    def atext_completion(self, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Ask a language model as ``litellm.atext_completion`` does, a coroutine function."""
        return _sending(self.__wrapped__.atext_completion)(*arguments, **keyword_arguments)

    def responses(self, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Ask a language model as ``litellm.responses`` does."""
        return _sending(self.__wrapped__.responses)(*arguments, **keyword_arguments)

    def aresponses(self, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Ask a language model as ``litellm.aresponses`` does, a coroutine function."""
        return _sending(self.__wrapped__.aresponses)(*arguments, **keyword_arguments)

    async def acompletion(self, *arguments: Any, **keyword_arguments: Any) -> Any:
        """Ask a language model as ``litellm.acompletion`` does."""
        _sending(None)
        reply = await self.__wrapped__.acompletion(*arguments, **keyword_arguments)
        if keyword_arguments.get("stream") and (under_way := lm_call_in(current_call())) is not None:
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


def _sending(function: Any) -> Any:
    """Return the function that sends a request, unless a budget is used up."""
    if BOUNDS.are_set:
        admit_litellm_request()
    return function


def _noted(reply: Any) -> Any:
    embedding = EMBEDDING.of(current_call())
    if embedding is not None:
        embedding.note_reply(reply)
    return reply
