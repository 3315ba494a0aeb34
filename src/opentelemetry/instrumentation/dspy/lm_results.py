"""The outcome of one language model call, read from what the installed DSPy hands over.

DSPy 3.4 finishes a call with a ``CallResult`` (``dspy.clients.execution.finalize``). Its usage comes in the shape of
chat completions or of the Responses API; both are read here into the conventions' meaning: input tokens include
cached ones, output tokens include reasoning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LMOutcome", "TokenUsage", "outcome_of_call_result"]

COST_COMPUTED_IN_PROCESS = "local"
"""``gen_ai.usage.cost.source`` of a price that DSPy or LiteLLM worked out from their price tables."""

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
}
"""Providers' words for the end of a reply, in the conventions' words; others stay as they are."""


@dataclass(slots=True)
class TokenUsage:
    """Tokens of one call; ``None`` where the provider did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    input_by_modality: tuple[tuple[str, int | None], ...] = ()
    output_by_modality: tuple[tuple[str, int | None], ...] = ()


@dataclass(slots=True)
class LMOutcome:
    """What one successful call used, cost and returned.

    On a cache hit nothing was used and paid: ``usage`` is empty, ``cost`` is ``None``, and ``saved_usage`` and
    ``saved_cost`` tell what the stored reply once took.
    """

    cache_hit: bool = False
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost: float | None = None
    cost_source: str = COST_COMPUTED_IN_PROCESS
    saved_usage: TokenUsage = field(default_factory=TokenUsage)
    saved_cost: float | None = None
    response_model: str | None = None
    response_id: str | None = None
    finish_reasons: list[str] = field(default_factory=list)
    adaptations: list[str] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    """DSPy's own list of replies, strings or dicts with ``text``, ``reasoning_content`` and ``tool_calls``."""


def outcome_of_call_result(result: Any) -> LMOutcome:
    """Read DSPy 3.4's ``CallResult``."""
    outcome = LMOutcome(
        cache_hit=bool(result.cache_hit),
        response_model=result.response_model,
        outputs=result.outputs,
    )
    if outcome.cache_hit:
        # CallResult.load empties usage and keeps the historical cost; the stored native replies keep their usage.
        outcome.saved_cost = result.cost
        outcome.saved_usage = _sum_of_native_usage(result.responses)
    else:
        outcome.cost = result.cost
        outcome.usage = token_usage(result.usage)
    if result.responses:
        _read_native_responses(outcome, result.responses)
    else:
        _read_provider_reply(outcome, result.raw)
    return outcome


def token_usage(usage: Mapping[str, Any] | None) -> TokenUsage:
    """Read a usage mapping in the shape of chat completions or of the Responses API."""
    if not usage:
        return TokenUsage()
    input_details = _mapping(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    output_details = _mapping(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    return TokenUsage(
        input_tokens=_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        output_tokens=_count(usage.get("completion_tokens", usage.get("output_tokens"))),
        cache_read_input_tokens=_count(input_details.get("cached_tokens")),
        cache_write_input_tokens=_count(input_details.get("cache_creation_tokens")),
        reasoning_output_tokens=_count(output_details.get("reasoning_tokens")),
        input_by_modality=_by_modality(input_details),
        output_by_modality=_by_modality(output_details),
    )


def finish_reason(reason: str | None) -> str:
    """Return a provider's finish reason in the conventions' words, ``error`` where one was due and none came."""
    return _FINISH_REASONS.get(reason, reason) if reason else "error"


def _by_modality(details: Mapping[str, Any]) -> tuple[tuple[str, int | None], ...]:
    counts = ((modality, _count(details.get(f"{modality}_tokens"))) for modality in ("text", "image", "audio"))
    return tuple((modality, count) for modality, count in counts if count)


def _sum_of_native_usage(responses: tuple[Any, ...]) -> TokenUsage:
    inputs = [response.usage.input_tokens for response in responses]
    outputs = [response.usage.output_tokens for response in responses]
    return TokenUsage(
        input_tokens=sum(inputs) if inputs and None not in inputs else None,
        output_tokens=sum(outputs) if outputs and None not in outputs else None,
    )


def _read_native_responses(outcome: LMOutcome, responses: tuple[Any, ...]) -> None:
    """Read ``dspy.lm15`` responses, one for each choice; their finish reasons are the conventions' already."""
    outcome.finish_reasons = [response.finish_reason for response in responses]
    outcome.adaptations = [
        f"{adaptation.field} {adaptation.action}" for response in responses for adaptation in response.adaptations
    ]
    if len(responses) == 1:
        outcome.response_id = responses[0].id


def _read_provider_reply(outcome: LMOutcome, reply: Any) -> None:
    """Read a reply in the provider's own shape, an object or a mapping."""
    outcome.response_id = _text(_field(reply, "id"))
    choices = _field(reply, "choices")
    if isinstance(choices, (list, tuple)):
        outcome.finish_reasons = [finish_reason(_text(_field(choice, "finish_reason"))) for choice in choices]
    elif status := _text(_field(reply, "status")):
        details = _field(reply, "incomplete_details")
        outcome.finish_reasons = [finish_reason(_text(_field(details, "reason")) or status)]


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    return {} if value is None else vars(value)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
