"""What the three dashboards have in common: data sources and filters to choose, the time, links to each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["as_json", "frame"]

SOURCES = {"prometheus": "Metrics", "tempo": "Traces", "loki": "Events"}
FILTERS = {
    "service": ("Service", "label_values(gen_ai_client_operation_duration_seconds_count, service_name)"),
    "environment": (
        "Environment",
        'label_values(gen_ai_client_operation_duration_seconds_count{service_name=~"$service"}, '
        "deployment_environment_name)",
    ),
    "model": (
        "Model",
        'label_values(gen_ai_client_operation_duration_seconds_count{service_name=~"$service"}, gen_ai_request_model)',
    ),
    # Not of the cost, which calls without a known price do not have.
    "program": (
        "Program",
        'label_values(gen_ai_client_operation_duration_seconds_count{service_name=~"$service"}, dspy_program)',
    ),
}
TENANT_LABELS = ("tenant", "tenant_id", "user_id")
"""What ``telemetry_context(metric_attributes=…)`` and the baggage give: whatever the application calls it."""


def frame(uid: str, title: str, about: str, rows: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return a dashboard with its panels in rows."""
    made = dashboard.Dashboard(title).uid(uid).description(about).tags(["dspy"]).timezone("browser").editable()
    made.tooltip(DashboardCursorSync.CROSSHAIR).refresh("30s").time("now-1h", "now")
    for plugin, label in SOURCES.items():
        made.with_variable(dashboard.DatasourceVariable(plugin).label(label).type(plugin))
    for name, (label, query) in FILTERS.items():
        made.with_variable(_filter(name, label, query))
    made.with_variable(dashboard.CustomVariable("tenant_label").label("Tenant is").values(",".join(TENANT_LABELS)))
    others = dashboard.DashboardLink("Other DSPy dashboards").type(DashboardLinkType.DASHBOARDS).tags(["dspy"])
    made.link(others.as_dropdown(False).include_vars(True).keep_time(True))
    for row, panels in rows.items():
        made.with_row(dashboard.Row(row))
        for panel in panels:
            made.with_panel(panel)
    return as_json(made.build())


def _filter(name: str, label: str, query: str) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(label).query(query)
    variable.datasource(DataSourceRef(type_val="prometheus", uid="${prometheus}"))
    # Also series without the label: a retriever has no model, and not every service says where it runs. Every series
    # has a service, and Loki takes no selector that is met by a label that is not there.
    everything = ".+" if name == "service" else ".*"
    variable.multi(True).include_all(True).all_value(everything).current(VariableOption(text="All", value="$__all"))
    return variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)


def as_json(built: Any) -> dict[str, Any]:
    """Return what Grafana reads, with numbered panels."""
    made: dict[str, Any] = json.loads(JSONEncoder().encode(built))
    for number, panel in enumerate(made["panels"], 1):
        panel["id"] = number
    return made
