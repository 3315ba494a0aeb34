"""PromQL for the metrics of this library, under the names that Prometheus' OTLP receiver gives them.

``$service``, ``$environment``, ``$model``, ``$program`` and ``$tenant_label`` are variables of the dashboards, the
others are Grafana's.
"""

from __future__ import annotations

__all__ = [
    "CALLS",
    "EMBEDDINGS",
    "NOTHING",
    "PAID_CALLS",
    "REFUSED",
    "in_range",
    "mean",
    "named",
    "per_hour",
    "per_minute",
    "quantile",
    "ratio",
    "selected",
    "unpriced",
]

SERVICE = 'service_name=~"$service", deployment_environment_name=~"$environment"'
MODEL = 'gen_ai_request_model=~"$model"'
PROGRAM = 'dspy_program=~"$program"'
OF_A_PROGRAM = ("gen_ai_client_operation_", "gen_ai_client_token_usage")
"""What carries the name of the program, and of the tenant where the application gives one."""

CALLS = 'gen_ai_operation_name=~"chat|text_completion", error_type!~".*BudgetStop"'
"""Language model calls, those that DSPy's cache answered included. What a budget stopped was no call and no failure."""
PAID_CALLS = f'{CALLS}, dspy_cache_hit!="true"'
"""Those that went to a provider: an answer from the cache takes no time and would hide a slow provider."""
REFUSED = 'error_type=~".*BudgetStop"'
"""What a budget stopped."""
EMBEDDINGS = 'gen_ai_operation_name="embeddings"'
NOTHING = "none"
"""What a legend says where a series does not have the label; Grafana would say ``Value``."""


def selected(metric: str, *conditions: str) -> str:
    """Return the series of a metric that the variables and the conditions select."""
    variables = [SERVICE]
    if metric.startswith(("gen_ai_client_", "dspy_cache_", "dspy_lm_")):
        variables.append(MODEL)
    if metric.startswith(OF_A_PROGRAM):
        variables.append(PROGRAM)
    return f"{metric}{{{', '.join([*variables, *conditions])}}}"


def in_range(series: str, *labels: str) -> str:
    """Return how much a counter grew in the time that the dashboard shows."""
    return f"{_sum(labels)}(increase({series}[$__range]))"


def per_hour(series: str, *labels: str) -> str:
    """Return how much a counter grows in an hour at its present pace."""
    return f"3600 * {_sum(labels)}(rate({series}[$__rate_interval]))"


def per_minute(series: str, *labels: str) -> str:
    """Return how much a counter grows in a minute at its present pace."""
    return f"60 * {_sum(labels)}(rate({series}[$__rate_interval]))"


def ratio(part: str, whole: str, *labels: str, window: str = "$__rate_interval") -> str:
    """Return which share of one counter's growth another is; 0 where the part has no series yet, none without calls."""
    counted, total = (f"{_sum(labels)}(increase({series}[{window}]))" for series in (part, whole))
    return f"({counted} or 0 * {total}) / ({total} > 0)"


def mean(metric: str, *conditions: str, by: tuple[str, ...] = ()) -> str:
    """Return the mean of a histogram's values, none where there are no values in the time that is shown."""
    summed, counted = (
        f"{_sum(by)}(increase({selected(f'{metric}_{part}', *conditions)}[$__range]))" for part in ("sum", "count")
    )
    return f"{summed} / ({counted} > 0)"


def unpriced(*labels: str) -> str:
    """Return how many paid calls no price is known of: those that did not fail, without those that have a cost."""
    answered = in_range(
        selected("gen_ai_client_operation_duration_seconds_count", PAID_CALLS, 'error_type=""'), *labels
    )
    priced = in_range(selected("gen_ai_client_operation_cost_count", CALLS), *labels)
    # increase() is drawn out to the edges of the window, so that a difference of the two is hardly ever a whole number.
    return f"round(clamp_min({answered} - ({priced} or 0 * {answered}), 0))"


def quantile(share: float, metric: str, *conditions: str, by: tuple[str, ...] = ()) -> str:
    """Return a quantile of a histogram's values, which are zero or more; none where there are no values."""
    buckets = selected(f"{metric}_bucket", *conditions)
    return f"histogram_quantile({share}, {_sum(('le', *by))}(rate({buckets}[$__rate_interval]))) >= 0"


def named(series: str, label: str) -> str:
    """Return series that all have a label, as far as they can."""
    return f'label_replace({series}, "{label}", "{NOTHING}", "{label}", "")'


def _sum(labels: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(labels)}) " if labels else "sum"
