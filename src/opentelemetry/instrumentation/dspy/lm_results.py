"""The outcome of one language model call, read from what the installed DSPy hands over.

* DSPy 3.4 finishes a call with a ``CallResult`` (``dspy.clients.execution.finalize``).
* Before, ``BaseLM._process_lm_response`` gets the reply in the provider's shape, and 3.3's typed path an
  ``LMResponse`` (``BaseLM._finalize_lm_response``).
* Decision clients have a dictionary of their own (``dspy.clients.typesafe``).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .language_models.native_engine import plain_outcome, saved_usage, usage_of
from .language_models.outcomes import COMPUTED_HERE, FINISH_REASONS, FROM_PROVIDER, LMOutcome, total_of
from .language_models.reply_values import count_of, is_a, items_of, member, name_of, price_of
from .language_models.service_tiers import tier_of
from .language_models.streams import usages_told
from .language_models.token_usage import TokenUsage, split_by_modality, token_usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .language_models.lm_calls import LMCall

__all__ = [
    "careful_outcome",
    "outcome_of_call_result",
    "outcome_of_decision",
    "outcome_of_embeddings",
    "outcome_of_failed_call",
    "outcome_of_reply",
    "outcome_of_typed_response",
]

_PROXY_COST_HEADERS = ("llm_provider-x-litellm-response-cost", "x-litellm-response-cost")
"""Where LiteLLM keeps the header in which a LiteLLM proxy tells the price."""


def outcome_of_call_result(result: Any, call: LMCall) -> LMOutcome:
    """Read the ``CallResult`` of DSPy 3.4, with what was noted of the call before."""
    return plain_outcome(result, call) or careful_outcome(result, call)


def careful_outcome(result: Any, call: LMCall) -> LMOutcome:
    """Read a ``CallResult`` of which anything may be odd: of several replies, of LiteLLM, with parts of its tokens."""
    outcome = LMOutcome(response_model=name_of(result.response_model), outputs=result.outputs)
    outcome.replies = [*items_of(result.responses)] or [result.raw]
    # A subclass of dspy.LM that calls ``super().forward()`` is none of DSPy's own engines, and its result says no hit.
    cache_hit = result.cache_hit is True or call.from_cache or member(result.raw, "cache_hit") is True
    _settle(outcome, cache_hit, result.usage, result.cost, _replies(result), call)
    if result.responses:
        _settle_native_usage(outcome, result.responses, call)
    elif outcome.cache_hit:
        outcome.saved_usage = token_usage(call.stored_usage)
    if result.responses:
        # One for each choice; their finish reasons are the conventions' already.
        outcome.finish_reasons = _reasons([_native_reason(response) for response in result.responses])
        adaptations = [adaptation for each in result.responses for adaptation in items_of(member(each, "adaptations"))]
        if adaptations:
            outcome.adaptations = _adaptations(adaptations)
        if len(result.responses) == 1:
            # The native client leaves both out of a streamed reply; its last frame has them.
            response, frame = result.responses[0], member(result.responses[0], "provider_data")
            outcome.response_id = name_of(member(response, "id")) or name_of(member(frame, "id"))
            outcome.response_model = name_of(member(frame, "model")) or outcome.response_model
    else:
        outcome.response_id, outcome.finish_reasons = _identity_of(result.raw)
    return outcome


def _adaptations(told: Iterable[Any]) -> list[str]:
    """Return what became of settings that the backend dropped or changed."""
    named = [(name_of(member(each, "field")), name_of(member(each, "action"))) for each in told]
    return [f"{field} {action}" for field, action in named if field and action]


def _native_reason(response: Any) -> Any:
    """Return the finish reason of a native response; DSPy's client says ``stop`` where the provider said nothing."""
    choices = items_of(member(member(response, "provider_data"), "choices"))
    told = [member(choice, "finish_reason") for choice in choices if member(choice, "message") is not None]
    return None if told and name_of(told[0]) is None else member(response, "finish_reason")


def _settle_native_usage(outcome: LMOutcome, responses: Sequence[Any], call: LMCall) -> None:
    if outcome.cache_hit:
        # CallResult.load empties usage and keeps the historical cost; the stored native replies keep their usage.
        outcome.saved_usage = saved_usage(call.language_model, responses)
        return
    if call.engine_provider is not None:
        # DSPy takes the counts of an engine that it was given as they are.
        outcome.usage = usage_of(responses, call.engine_provider)
    if len(responses) == 1 and outcome.usage.is_known:
        split_by_modality(outcome.usage, member(responses[0], "provider_data"))


def outcome_of_reply(reply: Any, outputs: Any, call: LMCall) -> LMOutcome:
    """Read a reply in the shape of chat completions, text completions or the Responses API (DSPy up to 3.3)."""
    outcome = LMOutcome(response_model=name_of(member(reply, "model")), outputs=outputs, replies=[reply])
    cache_hit = call.from_cache or member(reply, "cache_hit") is True
    cost = member(member(reply, "_hidden_params"), "response_cost")
    _settle(outcome, cache_hit, member(reply, "usage"), cost, [reply], call)
    if cache_hit:
        outcome.saved_usage = token_usage(call.stored_usage)
    outcome.response_id, outcome.finish_reasons = _identity_of(reply)
    return outcome


def outcome_of_typed_response(response: Any, call: LMCall) -> LMOutcome:
    """Read the ``LMResponse`` of DSPy 3.3's typed path."""
    outputs = response.to_legacy_outputs()
    outcome = LMOutcome(response_model=name_of(response.model), outputs=outputs, replies=[*response.outputs])
    cache_hit = call.from_cache or member(response, "cache_hit") is True
    _settle(outcome, cache_hit, response.usage, response.cost, [response.provider_response], call)
    if cache_hit:
        outcome.saved_usage = token_usage(call.stored_usage)
    outcome.response_id = name_of(response.response_id)
    outcome.finish_reasons = _reasons(member(output, "finish_reason") for output in response.outputs)
    return outcome


def outcome_of_decision(response: Mapping[str, Any], *, cache_hit: bool) -> LMOutcome:
    """Read what ``TypeSafe._finish`` is given: the model's name, its usage and the answers."""
    outcome = LMOutcome(response_model=name_of(member(response, "model")), outputs=_answers_of(response))
    _settle(outcome, cache_hit, member(response, "usage"), None, [])
    if cache_hit:
        outcome.saved_usage = token_usage(member(response, "usage"))
    outcome.finish_reasons = ["stop"]
    return outcome


def _answers_of(response: Any) -> list[str]:
    try:
        return [json.dumps(member(response, "answers"), default=repr)]
    except Exception:  # noqa: BLE001 - answers that are no JSON are not told
        return []


def outcome_of_embeddings(reply: Any) -> LMOutcome:
    """Read the reply of a hosted model to a batch of texts, which every DSPy asks for by LiteLLM.

    What goes in is all that is counted: there are no output tokens. A table's price for a count that is none is none
    either; where nothing was counted, one that is not zero is of what has no tokens, such as images.
    """
    outcome = LMOutcome(response_model=name_of(member(reply, "model")))
    usage = member(reply, "usage")
    _settle(outcome, False, usage, member(member(reply, "_hidden_params"), "response_cost"), [reply])
    told = member(usage, "prompt_tokens")
    tokens = count_of(told)
    outcome.usage = TokenUsage(tokens, 0) if tokens else TokenUsage()
    if not tokens and (not outcome.cost or (told is not None and tokens is None)):
        outcome.cost = outcome.cost if outcome.cost_source == FROM_PROVIDER else None
    return outcome


def outcome_of_failed_call(results: Sequence[Any]) -> LMOutcome | None:
    """Read what a call that failed was billed all the same (``execution._account_failed_call`` of DSPy 3.4)."""
    billed = [_billed(result) for result in results]
    return total_of(billed) if billed else None


def _billed(result: Any) -> LMOutcome:
    outcome = LMOutcome(response_model=name_of(result.response_model))
    _settle(outcome, False, result.usage, result.cost, _replies(result))
    return outcome


def _replies(result: Any) -> list[Any]:
    responses = result.responses
    if type(responses) is tuple and len(responses) == 1:
        return [member(responses[0], "provider_data")]
    return [member(response, "provider_data") for response in items_of(responses)] or [result.raw]


def _settle(
    outcome: LMOutcome, cache_hit: Any, usage: Any, cost: Any, replies: Sequence[Any], call: LMCall | None = None
) -> None:
    """Set what was used and paid, or on a cache hit what was saved.

    Every DSPy leaves the historical cost on a cached reply: only the cache tells a hit.
    """
    stream = None if call is None or cache_hit else call.litellm_stream
    told_in_stream = () if stream is None else usages_told(stream)
    for reply in replies:
        outcome.upstream_provider = outcome.upstream_provider or name_of(member(reply, "provider"))
    price, source = _price(cost, replies, told_in_stream)
    outcome.tier, is_priced_by_tables = tier_of(replies)
    if source == COMPUTED_HERE and not is_priced_by_tables:
        price = None
    outcome.cache_hit = bool(cache_hit)
    outcome.cost_source = source
    if outcome.cache_hit:
        outcome.saved_cost = price
        return
    if stream is not None and not told_in_stream:
        # LiteLLM estimates what the provider did not count, and prices its estimate.
        return
    outcome.usage = token_usage(usage)
    # A price of nothing for tokens that nobody counted is no price.
    outcome.cost = price if price or outcome.usage.is_known else None


def _price(cost: Any, replies: Sequence[Any], told_in_stream: Sequence[Any]) -> tuple[float | None, str]:
    if told_in_stream:
        # What stands on the reply that LiteLLM puts together at the end may be LiteLLM's own.
        prices = [_price_in_headers(reply) for reply in replies]
        prices += [price_of(member(usage, "cost")) for usage in told_in_stream]
        told = next((price for price in prices if price is not None), None)
        return (price_of(cost), COMPUTED_HERE) if told is None else (told, FROM_PROVIDER)
    all_told = [_price_in(reply) for reply in replies]
    prices = [price for price in all_told if price is not None]
    if prices and len(prices) == len(all_told):
        return sum(price for price in prices if price is not None), FROM_PROVIDER
    return price_of(cost), COMPUTED_HERE


def _price_in(reply: Any) -> float | None:
    """Return the price that a reply carries: OpenRouter's or Perplexity's, or in the header of a LiteLLM proxy."""
    usage = member(reply, "usage")
    in_body = None if usage is None else price_of(member(usage, "cost"))
    return _price_in_headers(reply) if in_body is None else in_body


def _price_in_headers(reply: Any) -> float | None:
    hidden = member(reply, "_hidden_params")
    headers = None if hidden is None else member(hidden, "additional_headers")
    if headers is None:
        return None
    told = (price_of(member(headers, name)) for name in _PROXY_COST_HEADERS)
    return next((price for price in told if price is not None), None)


def _identity_of(reply: Any) -> tuple[str | None, list[str]]:
    """Return id and finish reasons of a reply in the provider's shape, an object or a mapping."""
    identifier, choices = name_of(member(reply, "id")), member(reply, "choices")
    if is_a(choices, (list, tuple)):
        return identifier, _reasons(member(choice, "finish_reason") for choice in items_of(choices))
    status = name_of(member(reply, "status"))
    if status is None:
        return identifier, []
    calls_tool = any(name_of(member(item, "type")) == "function_call" for item in items_of(member(reply, "output")))
    reason = name_of(member(member(reply, "incomplete_details"), "reason"))
    return identifier, ["tool_call"] if calls_tool else _reasons([reason or status])


def _reasons(told: Iterable[Any]) -> list[str]:
    """Return finish reasons in the conventions' words, one for each choice; none if one of them is not known."""
    reasons = [name_of(reason) for reason in told]
    known = [FINISH_REASONS.get(reason, reason) for reason in reasons if reason is not None]
    return known if len(known) == len(reasons) else []
