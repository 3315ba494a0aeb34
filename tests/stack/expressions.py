"""The PromQL of the committed dashboards and rules, with Grafana's variables filled in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ALERTS", "PANELS", "RECORDED", "VARIABLES", "Expression", "filled", "panels_of"]

DEPLOY = Path(__file__).parents[2] / "deploy"
VARIABLES = {
    "service": ".+",
    "environment": ".*",
    "model": ".*",
    "program": ".*",
    "tenant_label": "tenant",
    "__range": "1h",
    "__rate_interval": "1m",
}


@dataclass(frozen=True, slots=True)
class Expression:
    """One query of a panel, one rule."""

    place: str
    text: str
    is_instant: bool

    @property
    def grouped_by(self) -> set[str]:
        """Labels that the answer is to have, by its groups."""
        groups = {name.strip() for group in re.findall(r"\bby \(([^)]*)\)", self.text) for name in group.split(",")}
        return groups - {"le"}


def filled(text: str, variables: Mapping[str, str] = VARIABLES) -> str:
    """Return an expression with the variables' values, as Grafana sends it."""
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], text)


def panels_of(dashboard: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every panel that is none of the rows."""
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def _of_dashboards() -> Iterator[Expression]:
    for file in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        for panel in panels_of(json.loads(file.read_text(encoding="utf-8"))):
            for target in panel.get("targets", []):
                if target["datasource"]["type"] == "prometheus":
                    place = f"{file.stem}: {panel['title']}: {target['refId']}"
                    yield Expression(place, filled(target["expr"]), bool(target.get("instant")))


def _of_rules(kind: str) -> Iterator[Expression]:
    content = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
    rules = [rule for group in content["groups"] for rule in group["rules"]]
    recorded = {rule["record"]: rule["expr"] for rule in rules if "record" in rule}
    for rule in rules:
        if kind in rule:
            yield Expression(f"{kind} {rule[kind]}", _spelt_out(rule["expr"], recorded), is_instant=True)


def _spelt_out(text: str, recorded: Mapping[str, str]) -> str:
    """Return an expression with each recorded series as what it is recorded from: no store here records them."""
    return re.sub(r"dspy:\w+:\w+", lambda found: f"({_spelt_out(recorded[found[0]], recorded)})", text)


PANELS = [*_of_dashboards()]
RECORDED = [*_of_rules("record")]
ALERTS = [*_of_rules("alert")]
