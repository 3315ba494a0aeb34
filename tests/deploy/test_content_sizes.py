"""Spans and events as long as the library makes them go through the stack whole, and can be read back."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from compose import CONFIGURATIONS, ROOT

from opentelemetry.instrumentation.dspy.config import DEFAULT_CONTENT_SPAN_MAX_LENGTH

DEPLOY = ROOT / "deploy"
MEBIBYTE = 2**20
LONGEST = 4 * DEFAULT_CONTENT_SPAN_MAX_LENGTH
"""Bytes of the content of one span or event: a character takes four at most."""
LOKI: dict[str, Any] = yaml.safe_load((DEPLOY / "loki.yaml").read_text())
TEMPO: dict[str, Any] = yaml.safe_load((DEPLOY / "tempo.yaml").read_text())
GATEWAY: dict[str, Any] = yaml.safe_load((DEPLOY / "gateway" / "gateway.yaml").read_text())["spec"]["config"]
EXPORTERS = {
    (where, name): exporter
    for where, configuration in {**CONFIGURATIONS, "gateway": GATEWAY}.items()
    for name, exporter in configuration["exporters"].items()
    if name != "debug"
}


@pytest.mark.parametrize("where", [*EXPORTERS], ids=" ".join)
def test_what_is_sent_at_once_is_counted_in_bytes_and_less_than_a_store_takes(where: tuple[str, str]) -> None:
    """A hundred of the longest spans, counted in spans, are more than any store takes, and would be dropped."""
    taken = 4 * MEBIBYTE if "loki" in where[1] else 20 * MEBIBYTE
    batch = EXPORTERS[where]["sending_queue"]["batch"]
    assert (batch["sizer"], batch["min_size"]) == ("bytes", 0)
    assert LONGEST < batch["max_size"] < taken


def test_tempo_cuts_off_no_prompt() -> None:
    assert TEMPO["distributor"]["max_attribute_bytes"] > LONGEST


def test_tempo_hands_over_the_largest_trace_that_it_takes() -> None:
    taken = TEMPO["overrides"]["defaults"]["global"]["max_bytes_per_trace"]
    sent = TEMPO["querier"]["frontend_worker"]["grpc_client_config"]["max_send_msg_size"]
    server = TEMPO["server"]
    assert server["grpc_server_max_recv_msg_size"] == server["grpc_server_max_send_msg_size"] == sent
    assert sent > 1.5 * taken


def test_loki_takes_the_longest_event_and_a_batch_of_them() -> None:
    limits = LOKI["limits_config"]
    batch = CONFIGURATIONS["collector"]["exporters"]["otlp_http/loki"]["sending_queue"]["batch"]["max_size"]
    assert limits["max_structured_metadata_size"] == "2MB"
    assert LONGEST < 2_000_000
    assert batch < limits["ingestion_burst_size_mb"] * 1_000_000
    assert limits["per_stream_rate_limit_burst"] == f"{limits['ingestion_burst_size_mb']}MB"


def test_loki_hands_over_as_many_events_as_grafana_asks_for() -> None:
    """In an answer between Loki's parts each attribute stands twice."""
    sources = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "datasources" / "datasources.yml").read_text())
    [lines] = [source["jsonData"]["maxLines"] for source in sources["datasources"] if source["type"] == "loki"]
    server = LOKI["server"]
    assert server["grpc_server_max_recv_msg_size"] == server["grpc_server_max_send_msg_size"]
    assert 2 * lines * DEFAULT_CONTENT_SPAN_MAX_LENGTH < server["grpc_server_max_send_msg_size"]
    asked = {
        target["maxLines"]
        for file in (DEPLOY / "grafana" / "dashboards").glob("*.json")
        for panel in json.loads(file.read_text())["panels"]
        for target in panel.get("targets", [])
        if "maxLines" in target
    }
    assert asked == {lines}
