"""What one language model call used, cost and returned, and how the outcomes of its parts make one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .service_tiers import MIXED
from .token_usage import TokenUsage, add_up

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "COMPUTED_HERE",
    "CUSTOM",
    "FINISH_REASONS",
    "FROM_PROVIDER",
    "LMOutcome",
    "handed_on",
    "outcome_of_parts",
    "total_of",
    "with_inner",
    "with_requests",
]

FROM_PROVIDER = "provider"
"""``gen_ai.usage.cost.source`` of a price that stood in the reply."""

COMPUTED_HERE = "local"
"""``gen_ai.usage.cost.source`` of a price that was worked out from a price table in process."""

CUSTOM = "custom"
"""``gen_ai.usage.cost.source`` of a price that the application's own prices tell."""

FINISH_REASONS = {
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
    tier: str | None = None
    """The tier at which the provider served it, where that is not the ordinary one."""
    response_model: str | None = None
    response_id: str | None = None
    finish_reasons: list[str] = field(default_factory=list)
    adaptations: list[str] = field(default_factory=list)
    upstream_provider: str | None = None
    """Who served the call behind a gateway, as the reply names it."""
    replies: Sequence[Any] = ()
    """The replies as they came, of one or several requests: DSPy's outputs leave out what it has no use for."""
    outputs: Sequence[Any] = ()
    """DSPy's own list of replies, strings or dicts with ``text``, ``reasoning_content`` and ``tool_calls``."""

    @property
    def is_told(self) -> bool:
        """Whether it says of tokens, price or cache anything at all."""
        return self.usage.is_known or self.cost is not None or self.cache_hit


def total_of(parts: Sequence[LMOutcome]) -> LMOutcome:
    """Return the numbers of several outcomes, at least one, as one: a hit if all of them were, unpriced if one is."""
    paid = [part for part in parts if not part.cache_hit]
    costs = [part.cost for part in paid]
    sources = {part.cost_source for part in paid}
    tiers = {part.tier for part in parts}
    saved = [part.saved_cost for part in parts if part.saved_cost is not None]
    return LMOutcome(
        cache_hit=not paid,
        usage=paid[0].usage if len(paid) == 1 else add_up(part.usage for part in paid),
        cost=None if None in costs or not costs else sum(cost for cost in costs if cost is not None),
        cost_source=sources.pop() if len(sources) == 1 else CUSTOM if CUSTOM in sources else COMPUTED_HERE,
        saved_usage=add_up(part.saved_usage for part in parts),
        saved_cost=sum(saved) if saved else None,
        tier=tiers.pop() if len(tiers) == 1 else MIXED,
        response_model=parts[-1].response_model,
        adaptations=[adaptation for part in parts for adaptation in part.adaptations],
        # A router hands on what one of them said.
        finish_reasons=parts[0].finish_reasons if len(parts) == 1 else [],
    )


def outcome_of_parts(parts: Sequence[LMOutcome], told: LMOutcome | None) -> LMOutcome | None:
    """Return the outcome of a call that consists of some parts, in the words of the one that was told last, if any."""
    if told is not None:
        return told if len(parts) == 1 else _with_numbers(told, total_of(parts))
    return total_of(parts) if parts else None


def with_inner(own: LMOutcome | None, inner: Sequence[LMOutcome]) -> LMOutcome | None:
    """Return a call's outcome, completed by those of the calls that it made to other language models.

    What it reports itself counts; if it reports neither tokens nor price, those of the inner calls are its own.
    """
    if not inner or (own is not None and own.is_told):
        return own
    return _with_numbers(own or LMOutcome(), total_of(inner))


def with_requests(own: LMOutcome, requests: Sequence[LMOutcome], inner: Sequence[LMOutcome]) -> LMOutcome:
    """Return the outcome of a call whose own code made requests through DSPy's client, and asked others beside it.

    What the requests took counts, not what the code told in the end: that is one reply of several, or one in which
    DSPy 3.4 leaves out price, id and finish reason.
    """
    outcome = _with_numbers(own, total_of([*requests, *inner]))
    outcome.adaptations = [adaptation for request in requests for adaptation in request.adaptations]
    if len(requests) == 1 and len(requests[0].finish_reasons) == len(own.finish_reasons):
        outcome.finish_reasons = requests[0].finish_reasons
        outcome.response_id = own.response_id or requests[0].response_id
    return outcome


def _with_numbers(outcome: LMOutcome, total: LMOutcome) -> LMOutcome:
    outcome.cache_hit = total.cache_hit
    outcome.usage = total.usage
    outcome.cost = total.cost
    outcome.cost_source = total.cost_source
    outcome.tier = total.tier
    outcome.saved_usage = total.saved_usage
    outcome.saved_cost = total.saved_cost
    outcome.response_model = outcome.response_model or total.response_model
    outcome.finish_reasons = outcome.finish_reasons or total.finish_reasons
    return outcome


def handed_on(own: LMOutcome | None, inner: Sequence[LMOutcome], returned: Any) -> LMOutcome | None:
    """Return a call's outcome with what the reply says that it hands on from another language model, as it is."""
    if own is None or own.replies or own.outputs:
        return own
    answer = next((call for call in reversed(inner) if _is_same(call.outputs, returned)), None)
    if answer is not None:
        own.replies, own.outputs = answer.replies, answer.outputs
        own.response_id = own.response_id or answer.response_id
        own.finish_reasons = answer.finish_reasons
    return own


def _is_same(outputs: Any, returned: Any) -> bool:
    try:
        return outputs is returned or (isinstance(returned, list) and bool(list(outputs) == returned))
    except Exception:  # noqa: BLE001 - what a language model of the application returns may compare as it likes
        return False
