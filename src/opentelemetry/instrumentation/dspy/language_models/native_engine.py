"""What DSPy 3.4's own client tells of a call: provider, address, token counts as the provider gave them, plain results.

A plain result is what most are: one reply, whole, whose tokens are of one kind. DSPy checks a ``Response`` when it
makes one, and lets no object into it that is not JSON, so its members are taken as they are. Whatever else there is to
say of a result, as of parts of its tokens, several replies or a tier with prices of its own, is for
``lm_results.careful_outcome``; both read the same from what is plain.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .outcomes import COMPUTED_HERE, FINISH_REASONS, FROM_PROVIDER, LMOutcome
from .providers import model_text
from .reply_values import MAX_COUNT, name_of, price_of
from .service_tiers import STANDARD
from .token_usage import NO_TOKENS, TokenUsage, add_up, token_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .lm_calls import LMCall

__all__ = ["EngineRoute", "engine_provider", "plain_outcome", "route_of", "saved_usage", "usage_of"]


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
    name = getattr(engine, "provider", None)
    if isinstance(name, str):
        return name
    if not hasattr(engine, "router"):
        return None
    from dspy.lm15 import LM15Error  # where there are engines there is this

    try:
        return _text(engine.resolve(model).provider)
    except LM15Error:
        return None


def usage_of(responses: Sequence[Any], provider: str | None) -> TokenUsage:
    """Return the tokens of native responses: their counts are the provider's own, whose name tells what they mean."""
    from dspy.clients.call_result import usage_dict

    return add_up([token_usage(usage_dict(response, provider)) for response in responses])


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


_DETAILS = frozenset(
    {"prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details"}
)

_NOT_PLAIN = frozenset({"_hidden_params", "usageMetadata"})
"""Members of a reply of LiteLLM's and of Gemini's, which tell of a price or of tokens in their own way."""


def plain_outcome(result: Any, call: LMCall) -> LMOutcome | None:
    """Read a ``CallResult``; ``None`` for one that is not plain."""
    responses = result.responses
    if type(responses) is not tuple or len(responses) != 1 or call.litellm_stream is not None:
        return None
    response = responses[0]
    if type(response) is not _response_class() or result.raw is not response or response.adaptations:
        return None
    frame = {} if response.provider_data is None else response.provider_data
    if type(frame) is not dict or not _NOT_PLAIN.isdisjoint(frame) or not _is_whole(frame.get("choices")):
        return None
    own_usage, tier = frame.get("usage"), frame.get("service_tier")
    if not _is_plain_usage(own_usage) or not (tier is None or (type(tier) is str and tier in STANDARD)):
        return None
    price = None if own_usage is None else price_of(own_usage.get("cost"))
    source = COMPUTED_HERE if price is None else FROM_PROVIDER
    if price is None:
        price = price_of(result.cost)
    usage, is_hit = _plain_tokens(response.usage), result.cache_hit is True or call.from_cache
    if usage is None or not (is_hit or _is_as_told(result.usage, response.usage)):
        return None
    reason, upstream = response.finish_reason, frame.get("provider")
    outcome = LMOutcome(
        is_hit,
        NO_TOKENS if is_hit else usage,
        None,
        source,
        usage if is_hit else NO_TOKENS,
        response_model=name_of(frame.get("model")) or name_of(result.response_model),
        response_id=name_of(response.id) or name_of(frame.get("id")),
        finish_reasons=[FINISH_REASONS.get(reason, reason)],
        upstream_provider=None if upstream is None else name_of(upstream),
        replies=[response],
        outputs=result.outputs,
    )
    if is_hit:
        outcome.saved_cost = price
    elif price or usage.is_known:
        outcome.cost = price
    return outcome


@functools.cache
def _response_class() -> Any:
    from dspy.lm15 import Response  # where there is such a result there is this

    return Response


def _is_whole(choices: Any) -> bool:
    """Return whether a provider says how its reply ended, if its protocol has a place for that."""
    if choices is None:
        return True
    if type(choices) is not list or len(choices) != 1 or type(choices[0]) is not dict:
        return False
    choice = choices[0]
    return choice.get("message") is None or name_of(choice.get("finish_reason")) is not None


def _is_plain_usage(own: Any) -> bool:
    """Return whether the provider's own usage, if there is one, tells no parts and no tier."""
    if own is None:
        return True
    if type(own) is not dict or "service_tier" in own:
        return False
    if _DETAILS.isdisjoint(own):
        return True
    for name in _DETAILS:
        details = own.get(name)
        if details and (type(details) is not dict or any(details.values())):
            return False
    return True


def _plain_tokens(usage: Any) -> TokenUsage | None:
    """Return the tokens of a response, ``None`` where they have parts, which mean what their provider makes of them."""
    if usage.cache_read_tokens or usage.cache_write_tokens or usage.reasoning_tokens:
        return None
    if usage.input_audio_tokens or usage.output_audio_tokens:
        return None
    inputs, outputs = usage.input_tokens, usage.output_tokens
    if not inputs and not outputs:
        return NO_TOKENS
    if (inputs or 0) > MAX_COUNT or (outputs or 0) > MAX_COUNT:
        return None
    return TokenUsage(inputs, outputs)


def _is_as_told(told: Any, usage: Any) -> bool:
    """Return whether DSPy tells of the tokens of a response what the response says."""
    if type(told) is not dict:
        return False
    inputs, outputs = told.get("prompt_tokens"), told.get("completion_tokens")
    return bool(inputs == usage.input_tokens and outputs == usage.output_tokens)
