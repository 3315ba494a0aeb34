"""Every panel of the dashboards shows something, in two stores, after a day with everything in it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from expressions import PANELS, RECORDED, Expression

from deploy.grafana.series import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Day
    from stores import Series, Store

STEP = 5
IDLE = {"service_name": "idle", "gen_ai_request_model": "m", "gen_ai_operation_name": "chat", "dspy_program": "P"}


def answers(store: Store, expression: Expression, day: Day) -> list[Series]:
    """What a panel would draw of the whole day."""
    if expression.is_instant:
        return store.at(expression.text, day.ended)
    return store.between(expression.text, day.began, day.ended, STEP)


@pytest.mark.parametrize("expression", [*PANELS, *RECORDED], ids=lambda expression: expression.place)
def test_no_panel_and_no_recorded_series_is_empty(expression: Expression, day: Day) -> None:
    for store in day.stores:
        drawn = [series for series in answers(store, expression, day) if series.values]
        assert drawn, f"{store.name}: nothing for {expression.text}"
        told = {name for series in drawn for name, value in series.labels.items() if value not in ("", NOTHING)}
        assert expression.grouped_by <= told, f"{store.name}: no series tells {expression.grouped_by - told}"


def test_a_panel_without_series_is_noticed(day: Day) -> None:
    unknown = Expression("nowhere", 'sum by (model) (increase(no_such_metric_total{model!=""}[1h]))', is_instant=True)
    assert [answers(store, unknown, day) for store in day.stores] == [[], []]


def not_numbers(programs: dict[str, Path], folder: Path, expressions: list[Expression]) -> str:
    """What Prometheus has to say of expressions that are no number where counters have stood still for two hours."""
    metrics = sorted({name for one in expressions for name in re.findall(r"\b((?:gen_ai|dspy)_\w+)[{\[]", one.text)})
    labels = [{**IDLE, **({"le": le} if le else {})} for le in ("0.5", "+Inf", "")]
    told = [",".join(f"{name}={json.dumps(value)}" for name, value in some.items()) for some in labels]
    series = [f"{name}{{{some}}}" for name in metrics for some in told if ("le=" in some) is name.endswith("_bucket")]
    checks = [{"expr": f"({one.text}) != ({one.text})", "eval_time": "110m"} for one in expressions]
    test = {
        "interval": "1m",
        "input_series": [{"series": one, "values": "5x120"} for one in series],
        "promql_expr_test": checks,
    }
    (folder / "idle.json").write_text(json.dumps({"rule_files": [], "tests": [test]}))
    command = [programs["promtool"], "test", "rules", folder / "idle.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_no_panel_shows_what_is_no_number_where_nothing_is_asked(programs: dict[str, Path], tmp_path: Path) -> None:
    assert not_numbers(programs, tmp_path, [*PANELS, *RECORDED]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "increase(dspy_cache_requests_total[1h]) / increase(dspy_cache_requests_total[1h])",
        "histogram_quantile(0.95, rate(dspy_module_duration_seconds_bucket[1h]))",
    ],
)
def test_what_is_no_number_is_noticed(programs: dict[str, Path], tmp_path: Path, text: str) -> None:
    assert "NaN" in not_numbers(programs, tmp_path, [Expression("nowhere", text, is_instant=True)])
