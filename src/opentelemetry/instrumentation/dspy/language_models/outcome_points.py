"""The metric points of what a call of a language model cost, and of what DSPy's cache saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from ..labels.labels import Labels
    from ..metrics import Metrics
    from .known_models import KnownModel
    from .outcomes import LMOutcome

__all__ = ["record_outcome"]


def record_outcome(
    metrics: Metrics, model: KnownModel, labels: Labels, outcome: LMOutcome | None, context: Context
) -> None:
    """Record whether the cache answered, and the price; ``outcome`` is ``None`` where none is known."""
    cache_hit = outcome is not None and outcome.cache_hit
    metrics.cache_requests.add(1, model.cache_point(cache_hit=cache_hit), context)
    if outcome is None:
        return
    if cache_hit and outcome.saved_cost is not None:
        metrics.cache_saved_cost.add(outcome.saved_cost, model.saved_point(), context)
    if outcome.cost is not None:
        point = model.cost_point(outcome.response_model, outcome.cost_source, labels)
        metrics.operation_cost.record(outcome.cost, point, context)
