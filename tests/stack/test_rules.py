"""Rules and alerts: Prometheus' own tool reads them, says when each fires, and both stores evaluate them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from expressions import ALERTS, Expression

if TYPE_CHECKING:
    from conftest import Day

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "deploy" / "prometheus" / "rules.yml"


def promtool(programs: dict[str, Path], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(programs["promtool"]), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prometheus_reads_the_rules(programs: dict[str, Path]) -> None:
    checked = promtool(programs, "check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_fires_when_it_should_and_not_before(programs: dict[str, Path]) -> None:
    tested = promtool(programs, "test", "rules", HERE / "alerts.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_an_alert_with_another_bound_would_be_noticed(programs: dict[str, Path], tmp_path: Path) -> None:
    changed = tmp_path / "rules.yml"
    changed.write_text(RULES.read_text().replace("dspy:cost:usd_1h > 10", "dspy:cost:usd_1h > 20"))
    tests = (HERE / "alerts.yml").read_text().replace("../../deploy/prometheus/rules.yml", str(changed))
    (tmp_path / "alerts.yml").write_text(tests)
    assert promtool(programs, "test", "rules", tmp_path / "alerts.yml").returncode != 0


@pytest.mark.parametrize("expression", ALERTS, ids=lambda expression: expression.place)
def test_every_store_evaluates_each_alert(expression: Expression, day: Day) -> None:
    fired = {store.name: bool(store.at(expression.text, day.ended)) for store in day.stores}
    assert len(set(fired.values())) == 1, fired
