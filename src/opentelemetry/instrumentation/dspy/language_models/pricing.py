"""What a call cost: as its reply says, else by the application's own prices, else by DSPy's table or genai-prices'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .outcomes import COMPUTED_HERE, CUSTOM
from .prices import estimate

if TYPE_CHECKING:
    from .outcomes import LMOutcome
    from .own_prices import OwnPrices
    from .providers import ModelIdentity

__all__ = ["settle_price"]


def settle_price(outcome: LMOutcome, identity: ModelIdentity, own: OwnPrices | None, language_model: Any) -> None:
    """Set what a call cost, or on a cache hit what it saved, where its reply does not say it."""
    if own is not None and outcome.cost_source == COMPUTED_HERE:
        usage = outcome.saved_usage if outcome.cache_hit else outcome.usage
        found, price = own.find(usage, outcome, identity, language_model) if usage.is_known else (False, None)
        if found:
            outcome.cost_source = CUSTOM
            if outcome.cache_hit:
                outcome.saved_cost = price
            else:
                outcome.cost = price
    if outcome.cost_source == CUSTOM:
        # What the application prices itself no table prices, not even where the price is not known.
        return
    if outcome.cache_hit:
        if outcome.saved_cost is None:
            outcome.saved_cost = _estimate(outcome, identity)
    elif outcome.cost is None:
        outcome.cost = _estimate(outcome, identity)


def _estimate(outcome: LMOutcome, identity: ModelIdentity) -> float | None:
    usage = outcome.saved_usage if outcome.cache_hit else outcome.usage
    if not usage.is_known:
        return None
    price = estimate(identity.provider, identity.model, usage, outcome.tier)
    # A deployment has a name of its own; which model it is comes with the reply.
    answered_by = outcome.response_model
    return estimate(identity.provider, answered_by, usage, outcome.tier) if price is None and answered_by else price
