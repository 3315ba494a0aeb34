"""The kinds of panels that the dashboards are made of, on grafana-foundation-sdk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    logs,
    loki,
    prometheus,
    stat,
    table,
    tempo,
    text,
    timeseries,
)
from grafana_foundation_sdk.models.common import GraphDrawStyle, LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.tempo import SearchTableType
from grafana_foundation_sdk.models.text import TextMode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DOLLARS",
    "SECONDS",
    "SHARE",
    "Query",
    "bars",
    "events",
    "graph",
    "number",
    "scores",
    "spans",
    "table_of",
    "words",
]

DOLLARS, SECONDS, SHARE = "currencyUSD", "s", "percentunit"

METRICS = DataSourceRef(type_val="prometheus", uid="${prometheus}")
TRACES = DataSourceRef(type_val="tempo", uid="${tempo}")
EVENTS = DataSourceRef(type_val="loki", uid="${loki}")

Panel = Any
"""A panel under construction: each kind has a builder class of its own, without a common one that has the setters."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and how its series are called in the legend."""

    expression: str
    legend: str = ""
    exemplars: bool = False
    """Whether single traces are shown as points in the graph."""


def number(title: str, query: str, *, unit: str = "short", decimals: int | None = None, about: str = "") -> Panel:
    """Return one number over the whole time that is shown."""
    panel = _in_one_colour(stat.Panel()).with_target(_instant(Query(query)))
    return _finish(panel, title, unit, about, width=4, height=4, decimals=decimals)


def graph(
    title: str,
    *queries: Query,
    unit: str = "short",
    width: int = 12,
    stacked: bool = False,
    from_zero: bool = True,
    about: str = "",
) -> Panel:
    """Return lines over time; points on them are single traces where a query asks for exemplars.

    ``from_zero`` leaves out what is below.
    """
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
    panel = timeseries.Panel().legend(legend.show_legend(True).calcs(["lastNotNull", "max"]))
    if from_zero:
        panel.min(0)
    for letter, query in zip("ABCDEF", queries, strict=False):
        target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).range()
        panel.with_target(target.exemplar(query.exemplars).ref_id(letter).datasource(METRICS))
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).draw_style(GraphDrawStyle.BARS)
        panel.fill_opacity(70)
    return _finish(panel, title, unit, about, width)


def bars(title: str, *queries: Query, unit: str = "short", width: int = 12, about: str = "") -> Panel:
    """Return a bar for each series, over the whole time that is shown."""
    panel = _in_one_colour(bargauge.Panel()).min(0)
    for letter, query in zip("ABCDEF", queries, strict=False):
        panel.with_target(_instant(query).ref_id(letter))
    return _finish(panel, title, unit, about, width)


def table_of(
    title: str,
    columns: Mapping[str, Query],
    *,
    units: Mapping[str, str] | None = None,
    width: int = 24,
    about: str = "",
) -> Panel:
    """Return a row for each group and a column for each query, joined by their labels."""
    panel = table.Panel()
    names = {}
    for letter, (column, query) in zip("ABCDEF", columns.items(), strict=False):
        panel.with_target(_instant(query).format(PromQueryFormat.TABLE).ref_id(letter))
        names[f"Value #{letter}" if len(columns) > 1 else "Value"] = column
    panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    tidy = {"excludeByName": {"Time": True}, "renameByName": names}
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=tidy))
    for column, unit in (units or {}).items():
        panel.override_by_name(column, [DynamicConfigValue(id_val="unit", value=unit)])
    return _finish(panel, title, "short", about, width)


def scores(title: str, query: str, *, width: int = 12, about: str = "") -> Panel:
    """Return how the values of a histogram are distributed over time."""
    target = prometheus.Dataquery().expr(query).legend_format("{{le}}").range().format(PromQueryFormat.HEATMAP)
    panel = heatmap.Panel().with_target(target.ref_id("A").datasource(METRICS))
    return _finish(panel, title, "short", about, width)


def spans(
    title: str, query: str, *, width: int = 24, group_by: Mapping[str, tuple[str, ...]] | None = None, about: str = ""
) -> Panel:
    """Return spans that a TraceQL query finds, each a link to its trace; or figures over groups of them."""
    target = tempo.TempoQuery().query(query).query_type("traceql").limit(200).spss(100)
    panel = table.Panel().with_target(target.table_type(SearchTableType.SPANS).ref_id("A").datasource(TRACES))
    if group_by:
        fields = {
            column: {"operation": "aggregate" if figures else "groupby", "aggregations": [*figures]}
            for column, figures in group_by.items()
        }
        panel.with_transformation(DataTransformerConfig(id_val="groupBy", options={"fields": fields}))
    return _finish(panel, title, "short", about, width, source=TRACES)


def events(title: str, query: str, *, width: int = 24, about: str = "") -> Panel:
    """Return log events, each with a link to its trace."""
    target = loki.Dataquery().expr(query).max_lines(150).ref_id("A").datasource(EVENTS)
    panel = logs.Panel().with_target(target).show_time(True).enable_log_details(True).wrap_log_message(True)
    panel.show_labels(False).show_common_labels(False).prettify_log_message(False)
    panel.sort_order("Descending").dedup_strategy("none")
    return _finish(panel, title, None, about, width, source=EVENTS)


def words(title: str, markdown: str, *, width: int = 24, height: int = 8) -> Panel:
    """Return text."""
    panel = text.Panel().mode(TextMode.MARKDOWN).content(markdown)
    return panel.title(title).span(width).height(height)


def _in_one_colour(panel: Panel) -> Panel:
    """Return a panel whose values are neither good nor bad; without this Grafana paints all above 80 red."""
    return panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color("blue"))


def _instant(query: Query) -> Any:
    target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).instant()
    return target.ref_id("A").datasource(METRICS)


def _finish(
    panel: Panel,
    title: str,
    unit: str | None,
    about: str,
    width: int,
    *,
    height: int = 8,
    decimals: int | None = None,
    source: DataSourceRef = METRICS,
) -> Panel:
    panel.title(title).span(width).height(height).datasource(source)
    if unit is not None:
        panel.unit(unit)
    if about:
        panel.description(about)
    if decimals is not None:
        panel.decimals(decimals)
    return panel


Row = dashboard.Row
