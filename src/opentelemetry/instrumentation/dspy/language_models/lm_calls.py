"""One language model call under way, as far as DSPy's own bookkeeping has told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

    from .outcomes import LMOutcome

__all__ = ["LMCall"]


@dataclass(slots=True)
class LMCall:
    """One language model call under way; DSPy's own bookkeeping tells the rest of it here, on its way."""

    language_model: Any
    model: str
    span: Span
    told: list[LMOutcome] = field(default_factory=list)
    """What DSPy told at the end: once for most calls, as often as an override of the call goes to the original."""
    requests: list[LMCall] = field(default_factory=list)
    """What DSPy's own client did for it and nothing in ``told`` has in it yet."""
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
    billed: list[LMOutcome] = field(default_factory=list)
    """What the provider billed although it failed."""
    inner: list[LMOutcome] = field(default_factory=list)
    """The outcomes of language models that this one called, and that nothing in ``told`` has in it yet: a router or a
    proxy is one call together with them."""
