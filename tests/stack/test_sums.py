"""What the dashboards add up is what `usage_scope` counted in the program, to the last call, token and dollar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import ENVIRONMENT
from expressions import PANELS, filled

from deploy.grafana import series

if TYPE_CHECKING:
    from conftest import Day

CHAT = series.CALLS
COST = series.selected("gen_ai_client_operation_cost_sum")
CALLS = series.selected("gen_ai_client_operation_duration_seconds_count", CHAT)
TOKENS = "gen_ai_client_token_usage_sum"


def value(day: Day, expression: str) -> float:
    """The one number of an expression in the store whose sums are exact."""
    return day.exact.value(filled(expression), day.ended)


def panel(title: str, letter: str = "A") -> str:
    """The expression of a panel, or of one of its columns."""
    [found] = [expression.text for expression in PANELS if expression.place.endswith(f": {title}: {letter}")]
    return found


def test_calls_tokens_and_cache_hits_are_the_scopes_to_the_last_one(day: Day) -> None:
    usage = day.usage["all"]
    assert value(day, panel("Calls of language models")) == usage["lm_calls"] > 100
    for kind in ("input", "output"):
        selected = series.selected(TOKENS, CHAT, f'gen_ai_token_type="{kind}"')
        assert value(day, series.in_range(selected)) == usage[f"{kind}_tokens"] > 1000
    hits = series.selected("dspy_cache_requests_total", 'dspy_cache_hit="true"')
    assert value(day, series.in_range(hits)) == usage["cache_hits"] > 0
    assert value(day, panel("Answered by the cache")) == usage["cache_hits"] / usage["lm_calls"]


def test_dollars_spent_and_saved_are_the_scopes(day: Day) -> None:
    usage = day.usage["all"]
    # Sums of the same numbers in another order: the last binary digits may differ.
    assert value(day, panel("Spent")) == pytest.approx(usage["cost"], rel=1e-9)
    assert value(day, panel("Saved by the cache")) == pytest.approx(usage["saved_cost"], rel=1e-9)
    assert usage["cost"] > 0.005


def test_calls_of_unknown_price_are_those_that_are_in_no_sum_of_dollars(day: Day) -> None:
    rows = day.exact.at(panel("Who spends it", "C"), day.ended)
    assert sum(row.values[0] for row in rows) == day.usage["all"]["cost_unknown_calls"] > 0


def test_the_dollars_of_each_tenant_are_those_of_its_scope(day: Day) -> None:
    by_tenant = day.exact.at(filled(series.in_range(COST, "tenant")), day.ended)
    spent = {one.labels["tenant"]: one.values[0] for one in by_tenant if "tenant" in one.labels}
    expected = {tenant: pytest.approx(day.usage[tenant]["cost"], rel=1e-9) for tenant in ("north", "south")}
    assert spent == expected


@pytest.mark.parametrize("label", ["prompt", "tenant"])
def test_what_has_no_prompt_and_no_tenant_is_drawn_under_a_name(day: Day, label: str) -> None:
    name = {"prompt": "gen_ai_prompt_name"}.get(label, label)
    for store in day.stores:
        drawn = store.between(panel(f"Dollars per hour by {label}"), day.began, day.ended, 5)
        named = {one.labels.get(name) for one in drawn}
        assert series.NOTHING in named
        assert None not in named
        assert len(named) > 2


def test_a_filter_by_program_is_a_filter_of_the_cache_too(day: Day) -> None:
    share = panel("Answered by the cache").replace('dspy_program=~".*"', 'dspy_program=~"Greeter"')
    assert value(day, share) == 0


@pytest.mark.parametrize(("environment", "is_all"), [(ENVIRONMENT, True), ("staging", False)])
def test_a_filter_by_environment_is_one_of_the_services_that_run_there(
    day: Day, environment: str, is_all: bool
) -> None:
    everywhere = panel("Calls of language models")
    there = everywhere.replace('deployment_environment_name=~".*"', f'deployment_environment_name=~"{environment}"')
    for store in day.stores:
        found = store.at(there, day.ended)
        assert [one.values for one in found] == ([[store.value(everywhere, day.ended)]] if is_all else [])


def test_the_dollars_of_all_roles_are_those_of_the_optimizer_run(day: Day) -> None:
    by_role = day.exact.at(panel("Spent by role"), day.ended)
    assert {one.labels["dspy_optimizer_role"] for one in by_role} == {"task", "judge", "proposal"}
    assert sum(one.values[0] for one in by_role) == pytest.approx(day.usage["optimizer"]["cost"], rel=1e-9)


def test_the_dollars_of_all_programs_are_the_bill(day: Day) -> None:
    by_program = day.exact.at(filled(series.in_range(COST, "dspy_program")), day.ended)
    assert {"SupportDesk", "Greeter", "Sums"} <= {one.labels.get("dspy_program") for one in by_program}
    assert sum(one.values[0] for one in by_program) == pytest.approx(day.usage["all"]["cost"], rel=1e-9)


def test_prometheus_comes_to_the_same_as_far_as_it_counts_exactly(day: Day) -> None:
    exact, prometheus = day.stores
    # Raw values: Prometheus draws increase() out to the edges of the window.
    for metric in ("gen_ai_client_operation_cost_sum", TOKENS, "dspy_cache_requests_total"):
        totals = [store.value(f"sum({metric})", day.ended) for store in (exact, prometheus)]
        assert totals[0] == pytest.approx(totals[1], rel=1e-12)
