"""The committed dashboards are what their source makes, ask for metrics that exist, and lead to where they say."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml
from expressions import PANELS, RECORDED, VARIABLES, panels_of

from deploy.grafana import searches
from opentelemetry.instrumentation.dspy import semconv

DEPLOY = Path(__file__).parents[2] / "deploy"
FOLDER = DEPLOY / "grafana" / "dashboards"
DASHBOARDS: dict[str, dict[str, Any]] = {
    file.name: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))
}
SOURCES: list[dict[str, Any]] = yaml.safe_load(
    (DEPLOY / "grafana" / "provisioning" / "datasources" / "datasources.yml").read_text()
)["datasources"]
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}
OF_THE_CONVENTIONS = {
    "gen_ai.client.operation.duration": ("histogram", "s"),
    "gen_ai.client.operation.time_to_first_chunk": ("histogram", "s"),
    "gen_ai.client.token.usage": ("histogram", "{token}"),
    "gen_ai.execute_tool.duration": ("histogram", "s"),
    "gen_ai.invoke_agent.duration": ("histogram", "s"),
    "gen_ai.invoke_workflow.duration": ("histogram", "s"),
}
"""Those of util-genai that the dashboards draw, with their kinds and units."""


def names_in_prometheus(name: str, kind: str, unit: str) -> set[str]:
    """What Prometheus makes of a metric with UnderscoreEscapingWithSuffixes: units in braces are only remarks."""
    stem = name.replace(".", "_") + ("_seconds" if unit == "s" else "")
    return {stem + suffix for suffix in SUFFIXES[kind]}


def own_metrics() -> dict[str, tuple[str, str]]:
    """Name, kind and unit of the library's metrics, from its table of names."""
    table = (DEPLOY.parent / "docs" / "reference" / "metrics.md").read_text()
    rows = re.findall(r"^\| `([a-z_.]+)` \| (histogram|counter|gauge) \| `(\S+)` \|", table, re.MULTILINE)
    return {name: (kind, unit) for name, kind, unit in rows}


def test_the_dashboards_are_those_that_the_source_makes() -> None:
    if sys.version_info < (3, 11):
        pytest.skip("the builder of dashboards needs Python 3.11")
    from deploy.grafana.__main__ import dashboards

    assert {file.name: file.read_text() for file in sorted(FOLDER.glob("*"))} == dashboards()


def test_every_metric_that_is_asked_for_is_one_of_the_library_under_its_name_in_prometheus() -> None:
    known = own_metrics() | OF_THE_CONVENTIONS
    exists = {name for metric, (kind, unit) in known.items() for name in names_in_prometheus(metric, kind, unit)}
    texts = " ".join(expression.text for expression in [*PANELS, *RECORDED])
    asked = set(re.findall(r"\b((?:gen_ai|dspy)_[a-z_]+)[{\[]", texts))
    assert {semconv.METRIC_GEN_AI_CLIENT_OPERATION_COST, semconv.METRIC_DSPY_CACHE_REQUESTS} <= set(known)
    assert asked - exists == set()
    assert len(asked) > 20


def test_every_label_that_is_asked_for_is_an_attribute_of_the_library_or_its_resource() -> None:
    described = set(re.findall(r"`((?:dspy|gen_ai)\.[a-z_.]+)`", (DEPLOY.parent / "docs" / "telemetry.md").read_text()))
    of_the_conventions = {
        *("error.type", "gen_ai.agent.name", "gen_ai.operation.name", "gen_ai.request.model", "gen_ai.token.type"),
        *("gen_ai.tool.name", "gen_ai.workflow.name", "service.name", "gen_ai.prompt.name"),
        "deployment.environment.name",
    }
    exists = {name.replace(".", "_") for name in described | of_the_conventions} | {VARIABLES["tenant_label"], "le"}
    asked = {name for expression in PANELS for name in expression.grouped_by}
    asked |= {name for expression in PANELS for name in re.findall(r"(\w+)[!=]~?\"", expression.text)}
    assert asked - exists == set()


@pytest.mark.parametrize("file", DASHBOARDS)
def test_each_panel_has_a_number_of_its_own_and_each_query_a_data_source_that_can_be_chosen(file: str) -> None:
    dashboard = DASHBOARDS[file]
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    chosen = {name: variable["query"] for name, variable in variables.items() if variable["type"] == "datasource"}
    assert chosen == {"prometheus": "prometheus", "tempo": "tempo", "loki": "loki"}
    for panel in panels_of(dashboard):
        for target in panel.get("targets", []):
            source = target["datasource"]
            assert source["uid"] == f"${{{source['type']}}}"
    text = json.dumps(dashboard)
    used = {name for name in re.findall(r"\$(?:\{)?(\w+)", text) if not name.startswith("__")}
    assert used <= set(variables)
    assert used >= {"service", "prometheus"}


@pytest.mark.parametrize("file", DASHBOARDS)
def test_what_can_be_chosen_is_asked_of_a_metric_that_every_call_has(file: str) -> None:
    asked = [one["query"] for one in DASHBOARDS[file]["templating"]["list"] if one["type"] == "query"]
    assert len(asked) == 4
    # Not of the cost: a call without a known price has none, and its program could not be chosen.
    assert {re.split(r"[{,]", query)[0] for query in asked} == {
        "label_values(gen_ai_client_operation_duration_seconds_count"
    }


@pytest.mark.parametrize("file", DASHBOARDS)
def test_no_number_is_painted_as_if_it_were_bad(file: str) -> None:
    """Without a colour of its own Grafana paints a number or a bar red from 80 on, dollars and tokens alike."""
    for panel in panels_of(DASHBOARDS[file]):
        if panel["type"] in ("stat", "bargauge"):
            assert panel["fieldConfig"]["defaults"]["color"] == {"mode": "fixed", "fixedColor": "blue"}, panel["title"]


def test_every_panel_says_what_it_shows() -> None:
    panels = [panel for dashboard in DASHBOARDS.values() for panel in panels_of(dashboard) if panel["type"] != "text"]
    assert [panel["title"] for panel in panels if not panel.get("description", "").endswith(".")] == []


def test_a_score_below_zero_is_drawn() -> None:
    least = {
        panel["title"]: panel["fieldConfig"]["defaults"].get("min")
        for panel in panels_of(DASHBOARDS["evaluations.json"])
        if panel["type"] == "timeseries"
    }
    assert {title for title, value in least.items() if value is None} == {
        "Score of the last evaluation",
        "Best score so far",
    }


def test_no_two_panels_overlap_and_none_leaves_the_page() -> None:
    for dashboard in DASHBOARDS.values():
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {
                (place.get("x", 0) + column, place.get("y", 0) + row)
                for column in range(place["w"])
                for row in range(place["h"])
            }
            assert max(column for column, _ in cells) < 24, panel["title"]
            assert not cells & taken, panel["title"]
            taken |= cells


def test_the_links_open_the_searches_that_they_show() -> None:
    found = 0
    for group in (searches.CALL_SEARCHES, searches.PROGRAM_SEARCHES, searches.EVALUATION_SEARCHES):
        markdown = searches.links(group)
        assert any(
            panel["type"] == "text" and panel["options"]["content"] == markdown
            for dashboard in DASHBOARDS.values()
            for panel in panels_of(dashboard)
        )
        links = re.findall(r"\]\((\S+)\)", markdown)
        for search, link in zip(group, links, strict=True):
            panes = json.loads(parse_qs(urlsplit(link).query)["panes"][0])
            assert panes["traces"]["queries"][0]["query"] == search.query
            assert "${tempo}" in unquote(link)
            found += 1
    assert found > 10


def test_every_search_asks_for_attributes_that_exist() -> None:
    described = (DEPLOY.parent / "docs" / "telemetry.md").read_text()
    queries = [one.query for group in (searches.CALL_SEARCHES, searches.EVALUATION_SEARCHES) for one in group]
    asked = {name for query in [*queries, searches.TRIALS] for name in re.findall(r"span\.(dspy\.[a-z_.]+)", query)}
    assert [name for name in sorted(asked) if f"`{name}`" not in described] == []


def test_a_double_is_compared_with_a_double() -> None:
    groups = (searches.CALL_SEARCHES, searches.PROGRAM_SEARCHES, searches.EVALUATION_SEARCHES)
    for query in (search.query for group in groups for search in group):
        for name, number in re.findall(r"span\.([a-z_.]+) [<>=]+ ([\d.]+)", query):
            is_double = name.endswith(("score", "cost", "amount"))
            assert ("." in number) is is_double, query


def test_exemplars_lead_to_traces_traces_to_events_and_events_back() -> None:
    sources = {source["uid"]: source["jsonData"] for source in SOURCES}
    assert list(sources) == ["prometheus", "tempo", "loki", "jaeger"]
    [exemplars] = sources["prometheus"]["exemplarTraceIdDestinations"]
    assert (exemplars["name"], exemplars["datasourceUid"]) == ("trace_id", "tempo")
    for traces in ("tempo", "jaeger"):
        assert sources[traces]["tracesToLogsV2"]["datasourceUid"] == "loki"
        assert 'trace_id="$${__trace.traceId}"' in sources[traces]["tracesToLogsV2"]["query"]
        assert 'span_id="$${__span.spanId}"' in sources[traces]["tracesToLogsV2"]["query"]
    # A span of Jaeger's has no tag with the name of its service, and a link with an unknown variable is none.
    assert "__span.tags" not in sources["jaeger"]["tracesToLogsV2"]["query"]
    [back] = sources["loki"]["derivedFields"]
    assert (back["matcherType"], back["matcherRegex"], back["datasourceUid"]) == ("label", "trace_id", "tempo")
    exemplified = [
        target["expr"]
        for dashboard in DASHBOARDS.values()
        for panel in panels_of(dashboard)
        for target in panel.get("targets", [])
        if target.get("exemplar")
    ]
    assert len(exemplified) > 5
    assert all("_bucket" in expression for expression in exemplified)


def test_each_alert_leads_to_a_dashboard_that_exists() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    exists = {f"/d/{dashboard['uid']}" for dashboard in DASHBOARDS.values()}
    assert {alert["annotations"]["dashboard"] for alert in alerts} <= exists
    [listed] = [
        panel["options"]["content"]
        for panel in panels_of(DASHBOARDS["cost-and-calls.json"])
        if panel["title"] == "Alerts"
    ]
    assert [alert["alert"] for alert in alerts] == re.findall(r"^\| (DSPy\w+) \|", listed, re.MULTILINE)
