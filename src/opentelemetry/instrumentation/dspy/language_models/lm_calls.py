"""One language model call under way, as far as DSPy's own bookkeeping has told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

    from ..context import Call
    from .outcomes import LMOutcome

__all__ = ["LM_CALL", "LMCall", "is_of_dspy", "lm_call_in"]


class LMCall:
    """One language model call under way; DSPy's own bookkeeping tells the rest of it here, on its way.

    What most calls have nothing of stands in the class until there is something.
    """

    returned: Any = None
    """Of a request: what DSPy's client returned."""
    read: Callable[[Any, LMCall], LMOutcome] | None = None
    """Of a request that returned: what reads it."""
    from_cache: bool = False
    """Whether DSPy's cache answered."""
    stored_usage: Any = None
    """The usage of a stored reply, which the cache empties before it hands the reply out."""
    endpoint: str | None = None
    """The address that DSPy chose for the request."""
    engine_provider: str | None = None
    """The provider of an engine that the application made itself, if it is one of DSPy's client."""
    streams: bool = False
    """Whether DSPy asks for the reply in chunks."""
    litellm_stream: Any = None
    """What LiteLLM hands the chunks out of, if it streams; it keeps what the provider sent."""
    attempts: int = 1
    reply: Any = None
    """The reply whose outcome was told last, before DSPy 3.4."""

    def __init__(self, language_model: Any, model: str, span: Span, *, has_own_code: bool = False) -> None:
        self.language_model = language_model
        self.model = model
        self.span = span
        self.has_own_code = has_own_code
        """Whether code of the application's stands between it and DSPy's client, and may make several requests."""
        self.told: list[LMOutcome] = []
        """What DSPy told at the end: once for most calls, as often as an override of the call goes to the original."""
        self.requests: list[LMCall] = []
        """What DSPy's own client did for it and nothing in ``told`` has in it yet."""
        self.billed: list[LMOutcome] = []
        """What the provider billed although it failed."""
        self.inner: list[LMOutcome] = []
        """The outcomes of language models that this one called, and that nothing in ``told`` has in it yet: a router or
        a proxy is one call together with them."""


LM_CALL: Final = Slot[LMCall]("language model call")
"""The language model call whose own code a call lies in."""


def is_of_dspy(owner: object) -> bool:
    """Return whether a class is DSPy's own."""
    return str(getattr(owner, "__module__", "")).startswith("dspy.")


def lm_call_in(call: Call, language_model: object = None) -> LMCall | None:
    """Return the language model call whose own code is running, if any, and if it is one of the given object."""
    under_way: LMCall | None = call.kept.get(LM_CALL)
    if under_way is None or (language_model is not None and under_way.language_model is not language_model):
        return None
    return under_way
