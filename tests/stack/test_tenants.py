"""Two tenants in threads of two processes: what a store adds up for each is what the programs counted, to the last."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import counted_by, run_program, started_program
from odd_tenants import NOBODY
from stores import victoria_metrics
from tenants import QUESTIONS, THREADS
from zero_start import ZeroStart

from deploy.grafana import series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stores import Store

BY_BAGGAGE = {"BY_BAGGAGE": "1", "OTEL_INSTRUMENTATION_DSPY_BAGGAGE_METRICS": "tenant"}
COST = "gen_ai_client_operation_cost_sum"
CALLS = "gen_ai_client_operation_duration_seconds_count"


@pytest.fixture(scope="module")
def filled(
    programs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Store, list[dict[str, Any]], float]]:
    """A store that two processes sent to at the same time, what each of them counted, and when they had ended."""
    folder = tmp_path_factory.mktemp("tenants")
    with victoria_metrics(programs["victoria-metrics"], folder) as store:
        with ZeroStart(f"{store.address}/opentelemetry/v1/metrics") as relay:
            running = [
                started_program("tenants.py", relay.endpoint, folder / name, **settings)
                for name, settings in (("by-program", {}), ("by-baggage", BY_BAGGAGE))
            ]
            counted = [counted_by(program) for program in running]
        store.flush()
        yield store, counted, time.time()


def by_tenant(store: Store, metric: str, moment: float, *labels: str) -> dict[Any, float]:
    """What a metric grew in an hour, for each tenant, or each tenant and label."""
    grown = store.at(series.in_range(metric, "tenant", *labels).replace("$__range", "1h"), moment)
    return {tuple(one.labels.get(name) for name in ("tenant", *labels)): one.values[0] for one in grown}


def test_dollars_calls_and_tokens_of_each_tenant_are_exact_over_threads_and_processes(
    filled: tuple[Store, list[dict[str, Any]], float],
) -> None:
    store, counted, moment = filled
    total = {
        tenant: {name: sum(process[tenant][name] for process in counted) for name in counted[0][tenant]}
        for tenant in QUESTIONS
    }
    assert by_tenant(store, COST, moment) == {
        (tenant,): pytest.approx(total[tenant]["cost"], rel=1e-9) for tenant in QUESTIONS
    }
    assert by_tenant(store, CALLS, moment) == {(tenant,): total[tenant]["lm_calls"] for tenant in QUESTIONS}
    tokens = by_tenant(store, "gen_ai_client_token_usage_sum", moment, "gen_ai_token_type")
    assert tokens == {
        (tenant, kind): total[tenant][f"{kind}_tokens"] for tenant in QUESTIONS for kind in ("input", "output")
    }
    for tenant, questions in QUESTIONS.items():
        assert total[tenant]["lm_calls"] == 2 * THREADS * questions * 3


def test_each_process_has_series_of_its_own_and_nothing_but_the_tenant_comes_from_the_baggage(
    filled: tuple[Store, list[dict[str, Any]], float],
) -> None:
    store, counted, moment = filled
    found = store.at(f"sum by (tenant, service_instance_id, request_id, dspy_program) ({CALLS})", moment)
    told = [(one.labels["tenant"], one.values[0], one.labels.get("request_id")) for one in found]
    assert sorted(told, key=str) == sorted(
        ((tenant, process[tenant]["lm_calls"], None) for process in counted for tenant in QUESTIONS), key=str
    )
    assert {one.labels["dspy_program"] for one in found} == {"question -> answer"}


def test_no_call_is_lost_where_values_are_one_text_to_a_store(programs: dict[str, Path], tmp_path: Path) -> None:
    with victoria_metrics(programs["victoria-metrics"], tmp_path) as store:
        with ZeroStart(f"{store.address}/opentelemetry/v1/metrics") as relay:
            counted = run_program("odd_tenants.py", relay.endpoint, tmp_path)["calls"]
        store.flush()
        grown = by_tenant(store, CALLS, time.time())
    assert {tenant or NOBODY: calls for (tenant,), calls in grown.items()} == counted == {"7": 6, "true": 3, NOBODY: 6}
