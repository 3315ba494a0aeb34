"""The outcome of one language model call, read from what the installed DSPy hands over.

* DSPy 3.4 finishes a call with a ``CallResult`` (``dspy.clients.execution.finalize``).
* Before, ``BaseLM._process_lm_response`` gets the reply in the provider's shape, and 3.3's typed path an
  ``LMResponse`` (``BaseLM._finalize_lm_response``).
* Decision clients have a dictionary of their own (``dspy.clients.typesafe``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .language_models.native_engine import saved_usage, usage_of
from .language_models.token_usage import TokenUsage, add_up, member, split_by_modality, token_usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .context import LMCall

__all__ = [
    "LMOutcome",
    "outcome_of_call_result",
    "outcome_of_decision",
    "outcome_of_failed_call",
    "outcome_of_reply",
    "outcome_of_typed_response",
    "with_inner",
]

FROM_PROVIDER = "provider"
"""``gen_ai.usage.cost.source`` of a price that stood in the reply."""

COMPUTED_HERE = "local"
"""``gen_ai.usage.cost.source`` of a price that was worked out from a price table in process."""

_PROXY_COST_HEADERS = ("llm_provider-x-litellm-response-cost", "x-litellm-response-cost")
"""Where LiteLLM keeps the header in which a LiteLLM proxy tells the price."""

_FINISH_REASONS = {
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "tool_use": "tool_call",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "incomplete": "length",
    "refusal": "content_filter",
    "failed": "error",
}
"""Providers' words for the end of a reply, in the conventions' words; others stay as they are."""


@dataclass(slots=True)
class LMOutcome:
    """What one successful call used, cost and returned.

    On a cache hit nothing was used and paid: ``usage`` is empty, ``cost`` is ``None``, and ``saved_usage`` and
    ``saved_cost`` tell what the stored reply once took.
    """

    cache_hit: bool = False
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost: float | None = None
    cost_source: str = COMPUTED_HERE
    saved_usage: TokenUsage = field(default_factory=TokenUsage)
    saved_cost: float | None = None
    response_model: str | None = None
    response_id: str | None = None
    finish_reasons: list[str] = field(default_factory=list)
    adaptations: list[str] = field(default_factory=list)
    outputs: Sequence[Any] = ()
    """DSPy's own list of replies, strings or dicts with ``text``, ``reasoning_content`` and ``tool_calls``."""


def outcome_of_call_result(result: Any, call: LMCall) -> LMOutcome:
    """Read the ``CallResult`` of DSPy 3.4, with what was noted of the call before."""
    outcome = LMOutcome(response_model=result.response_model, outputs=result.outputs)
    _settle(outcome, result.cache_hit, result.usage, result.cost, _replies(result))
    if result.responses:
        _settle_native_usage(outcome, result.responses, call)
    elif outcome.cache_hit:
        outcome.saved_usage = token_usage(call.stored_usage)
    if result.responses:
        # One for each choice; their finish reasons are the conventions' already.
        outcome.finish_reasons = [response.finish_reason for response in result.responses]
        outcome.adaptations = [
            f"{adaptation.field} {adaptation.action}"
            for response in result.responses
            for adaptation in response.adaptations
        ]
        if len(result.responses) == 1:
            # The native client leaves both out of a streamed reply; its last frame has them.
            response, frame = result.responses[0], result.responses[0].provider_data
            outcome.response_id = response.id or _text(member(frame, "id"))
            outcome.response_model = _text(member(frame, "model")) or outcome.response_model
    else:
        outcome.response_id, outcome.finish_reasons = _identity_of(result.raw)
    return outcome


def _settle_native_usage(outcome: LMOutcome, responses: Sequence[Any], call: LMCall) -> None:
    if outcome.cache_hit:
        # CallResult.load empties usage and keeps the historical cost; the stored native replies keep their usage.
        outcome.saved_usage = saved_usage(call.language_model, responses)
        return
    if call.engine_provider is not None:
        # DSPy takes the counts of an engine that it was given as they are.
        outcome.usage = usage_of(responses, call.engine_provider)
    if len(responses) == 1 and outcome.usage.is_known:
        split_by_modality(outcome.usage, responses[0].provider_data)


def outcome_of_reply(reply: Any, outputs: Any, *, from_cache: bool, stored_usage: Any) -> LMOutcome:
    """Read a reply in the shape of chat completions, text completions or the Responses API (DSPy up to 3.3)."""
    outcome = LMOutcome(response_model=_text(member(reply, "model")), outputs=outputs)
    cache_hit = from_cache or bool(getattr(reply, "cache_hit", False))
    cost = member(getattr(reply, "_hidden_params", None), "response_cost")
    _settle(outcome, cache_hit, member(reply, "usage"), cost, [reply])
    if cache_hit:
        outcome.saved_usage = token_usage(stored_usage)
    outcome.response_id, outcome.finish_reasons = _identity_of(reply)
    return outcome


def outcome_of_typed_response(response: Any, *, from_cache: bool, stored_usage: Any) -> LMOutcome:
    """Read the ``LMResponse`` of DSPy 3.3's typed path."""
    outcome = LMOutcome(response_model=response.model, outputs=response.to_legacy_outputs())
    cache_hit = from_cache or bool(response.cache_hit)
    _settle(outcome, cache_hit, response.usage, response.cost, [response.provider_response])
    if cache_hit:
        outcome.saved_usage = token_usage(stored_usage)
    outcome.response_id = response.response_id
    outcome.finish_reasons = [_finish_reason(_text(output.finish_reason)) for output in response.outputs]
    return outcome


def outcome_of_decision(response: Mapping[str, Any], *, cache_hit: bool) -> LMOutcome:
    """Read what ``TypeSafe._finish`` is given: the model's name, its usage and the answers."""
    outcome = LMOutcome(response_model=_text(response.get("model")), outputs=[json.dumps(response.get("answers"))])
    _settle(outcome, cache_hit, response.get("usage"), None, [])
    if cache_hit:
        outcome.saved_usage = token_usage(response.get("usage"))
    outcome.finish_reasons = ["stop"]
    return outcome


def outcome_of_failed_call(results: Sequence[Any]) -> LMOutcome | None:
    """Read what a call that failed was billed all the same (``execution._account_failed_call`` of DSPy 3.4)."""
    return with_inner(None, [_billed(result) for result in results])


def _billed(result: Any) -> LMOutcome:
    outcome = LMOutcome(response_model=_text(result.response_model))
    _settle(outcome, False, result.usage, result.cost, _replies(result))
    return outcome


def _replies(result: Any) -> list[Any]:
    return [response.provider_data for response in result.responses] or [result.raw]


def with_inner(own: LMOutcome | None, inner: Sequence[LMOutcome]) -> LMOutcome | None:
    """Return a call's outcome, completed by those of the calls that it made to other language models.

    What it reports itself counts; if it reports neither tokens nor price, those of the inner calls are its own.
    """
    if not inner or (own is not None and (own.usage.is_known or own.cost is not None or own.cache_hit)):
        return own
    outcome = own or LMOutcome()
    costs = [call.cost for call in inner if not call.cache_hit]
    saved = [call.saved_cost for call in inner if call.saved_cost is not None]
    outcome.cache_hit = all(call.cache_hit for call in inner)
    outcome.usage = add_up(call.usage for call in inner)
    outcome.cost = None if None in costs or not costs else sum(cost for cost in costs if cost is not None)
    outcome.cost_source = inner[-1].cost_source
    outcome.saved_usage = add_up(call.saved_usage for call in inner)
    outcome.saved_cost = sum(saved) if saved else None
    outcome.response_model = outcome.response_model or inner[-1].response_model
    return outcome


def _settle(outcome: LMOutcome, cache_hit: Any, usage: Any, cost: Any, replies: Sequence[Any]) -> None:
    """Set what was used and paid, or on a cache hit what was saved.

    Every DSPy leaves the historical cost on a cached reply: only the cache tells a hit.
    """
    price, source = _price(cost, replies)
    outcome.cache_hit = bool(cache_hit)
    if outcome.cache_hit:
        outcome.saved_cost = price
        return
    outcome.usage = token_usage(usage)
    outcome.cost_source = source
    # A price of nothing for tokens that nobody counted is no price.
    outcome.cost = price if price or outcome.usage.is_known else None


def _price(cost: Any, replies: Sequence[Any]) -> tuple[float | None, str]:
    told = [_price_in(reply) for reply in replies]
    if told and None not in told:
        return sum(price for price in told if price is not None), FROM_PROVIDER
    return (float(cost) if isinstance(cost, (int, float)) else None), COMPUTED_HERE


def _price_in(reply: Any) -> float | None:
    """Return the price that a reply carries: OpenRouter's or Perplexity's, or in the header of a LiteLLM proxy."""
    usage, hidden = member(reply, "usage"), getattr(reply, "_hidden_params", None)
    told = [] if usage is None else [member(usage, "cost")]
    if hidden is not None:
        headers = member(hidden, "additional_headers")
        told += [member(headers, name) for name in _PROXY_COST_HEADERS]
    return next((amount for value in told if (amount := _amount(value)) is not None), None)


def _amount(value: Any) -> float | None:
    if isinstance(value, dict):
        # Perplexity itemizes.
        value = value.get("total_cost")
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _identity_of(reply: Any) -> tuple[str | None, list[str]]:
    """Return id and finish reasons of a reply in the provider's shape, an object or a mapping."""
    choices = member(reply, "choices")
    if isinstance(choices, (list, tuple)):
        reasons = [_finish_reason(_text(member(choice, "finish_reason"))) for choice in choices]
        return _text(member(reply, "id")), reasons
    status = _text(member(reply, "status"))
    if status is None:
        return _text(member(reply, "id")), []
    calls_tool = any(member(item, "type") == "function_call" for item in member(reply, "output") or ())
    reason = _text(member(member(reply, "incomplete_details"), "reason"))
    return _text(member(reply, "id")), ["tool_call" if calls_tool else _finish_reason(reason or status)]


def _finish_reason(reason: str | None) -> str:
    """Return a finish reason in the conventions' words, ``error`` where one was due and none came."""
    return _FINISH_REASONS.get(reason, reason) if reason else "error"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
