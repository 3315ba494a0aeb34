"""What points tell of where their calls come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recorded import Recorded

__all__ = ["COST", "DURATION", "METRICS", "TOKENS", "labels_on", "labels_on_each"]

COST, DURATION, TOKENS = (
    "gen_ai.client.operation.cost",
    "gen_ai.client.operation.duration",
    "gen_ai.client.token.usage",
)
METRICS = (COST, DURATION, TOKENS)
CONVENTIONS = (
    "gen_ai.operation.",
    "gen_ai.provider.",
    "gen_ai.re",
    "gen_ai.usage.",
    "gen_ai.token.",
    "server.",
    "error.",
)


def labels_on_each(telemetry: Recorded, metric: str) -> list[dict[str, Any]]:
    """The labels of each point of a metric, alike ones once, those without any too."""
    found: list[dict[str, Any]] = []
    for point in telemetry.metric_points(metric):
        told = {
            name: value
            for name, value in (point.attributes or {}).items()
            if not name.startswith(CONVENTIONS) and name != "dspy.cache.hit"
        }
        if told not in found:
            found.append(told)
    return found


def labels_on(telemetry: Recorded, *metrics: str) -> dict[str, Any]:
    """The labels that all points of these metrics have, by default of cost, duration and tokens."""
    told = [labels_on_each(telemetry, metric) for metric in metrics or METRICS]
    [first] = told[0]
    assert all(each == [first] for each in told), told
    return first
