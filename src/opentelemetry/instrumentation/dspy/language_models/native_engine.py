"""What DSPy 3.4's own client tells of a call: provider, address, and token counts as the provider gave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .providers import model_text
from .token_usage import TokenUsage, add_up, token_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EngineRoute", "engine_provider", "route_of", "saved_usage", "usage_of"]


@dataclass(frozen=True, slots=True)
class EngineRoute:
    """Where an engine sends its requests, as far as it can be known."""

    provider: str | None
    """The name that DSPy's client has for the provider, which decides what its token counts mean."""
    endpoint: str | None


def route_of(engine: Any, provider: str | None, model: str) -> EngineRoute:
    """Return the route of an engine; ``provider`` is the one that DSPy chose, ``None`` for engines of others."""
    name = provider or engine_provider(engine, model)
    return EngineRoute(name, _endpoint(engine, name))


def engine_provider(engine: Any, model: str) -> str | None:
    """Return the provider that an engine of DSPy's client talks to, ``None`` for other engines."""
    from dspy.lm15 import LM15Error  # where there are engines there is this

    name = getattr(engine, "provider", None)
    if isinstance(name, str):
        return name
    if not hasattr(engine, "router"):
        return None
    try:
        return _text(engine.resolve(model).provider)
    except LM15Error:
        return None


def usage_of(responses: Sequence[Any], provider: str | None) -> TokenUsage:
    """Return the tokens of native responses: their counts are the provider's own, whose name tells what they mean."""
    from dspy.clients.call_result import usage_dict

    return add_up(token_usage(usage_dict(response, provider)) for response in responses)


def saved_usage(language_model: Any, responses: Sequence[Any]) -> TokenUsage:
    """Return the tokens that stored responses once took; which engine gave them is not stored with them."""
    counts = [response.usage for response in responses]
    depends = any(count.cache_read_tokens or count.cache_write_tokens or count.reasoning_tokens for count in counts)
    return usage_of(responses, _language_model_provider(language_model) if depends else None)


def _language_model_provider(language_model: Any) -> str | None:
    from dspy.clients.capabilities import resolve
    from dspy.lm15 import LM15Error

    engine = getattr(language_model, "_engine_spec", "auto")
    if not isinstance(engine, str):
        return engine_provider(engine, model_text(language_model))
    try:
        return _text(resolve(language_model).provider)
    except LM15Error:
        return None


def _endpoint(engine: Any, provider: str | None) -> str | None:
    options = getattr(engine, "client_options", None) or {}  # those of a LiteLLM engine
    own = _text(getattr(engine, "base_url", None) or options.get("api_base") or options.get("base_url"))
    if own is not None or provider is None or not hasattr(engine, "router"):
        return own
    config = engine.config
    if config.base_urls and provider in config.base_urls:
        return _text(config.base_urls[provider])
    from dspy._vendor.lm15.registry import lookup  # DSPy's own client, there where it made this engine

    declared = (definition for definition in config.providers if definition.id == provider)
    definition: Any = next(declared, None) or lookup(provider)
    access = getattr(definition, "access", None)
    address = _text(getattr(access, "base_url", None))
    if address is None and access is not None and access is getattr(definition.adapter, "manifest", None):
        # The provider that an adapter was written for; others of the same protocol give an address of their own, and
        # those in somebody's cloud have one for each customer.
        address = _text(definition.adapter.__dataclass_fields__["base_url"].default)
    return address


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
