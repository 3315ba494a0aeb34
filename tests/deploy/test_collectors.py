"""The two Collectors of docker-compose.yml: what they take, where it goes, and that they fit their containers."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from compose import COLLECTORS, CONFIGURATIONS, SERVICES, components, mebibytes, pipelines

BACKENDS = {
    "collector": {
        "traces": ["otlp_http/tempo", "otlp_http/jaeger"],
        "metrics": ["otlp_http/prometheus"],
        "logs": ["otlp_http/loki"],
    },
    "collector-small": {"traces": ["otlp_http/jaeger"], "metrics": ["otlp_http/prometheus"], "logs": ["debug"]},
}
ADDRESSES = {
    "otlp_http/jaeger": "http://jaeger:4318",
    "otlp_http/loki": "http://loki:3100/otlp",
    "otlp_http/prometheus": "http://prometheus:9090/api/v1/otlp",
    "otlp_http/tempo": "http://tempo:4318",
}


@pytest.mark.parametrize("collector", COLLECTORS)
def test_the_collector_refuses_data_before_the_memory_limit_of_its_container(collector: str) -> None:
    limiter = CONFIGURATIONS[collector]["processors"]["memory_limiter"]

    assert 0 < limiter["spike_limit_mib"] < limiter["limit_mib"]
    assert limiter["limit_mib"] < mebibytes(SERVICES[collector]["mem_limit"])


@pytest.mark.parametrize("collector", COLLECTORS)
def test_the_collector_waits_until_every_backend_says_that_it_is_ready(collector: str) -> None:
    exporters = [CONFIGURATIONS[collector]["exporters"][name] for name in components(collector, "exporters")]
    backends = {urlsplit(exporter["endpoint"]).hostname for exporter in exporters if "endpoint" in exporter}

    assert SERVICES[collector]["depends_on"] == {backend: {"condition": "service_healthy"} for backend in backends}


@pytest.mark.parametrize("section", ["receivers", "processors", "exporters"])
@pytest.mark.parametrize("collector", COLLECTORS)
def test_the_pipelines_use_every_component_that_is_defined_and_no_other(collector: str, section: str) -> None:
    assert components(collector, section) == sorted(CONFIGURATIONS[collector][section])


@pytest.mark.parametrize("collector", COLLECTORS)
def test_each_signal_has_a_pipeline_to_its_backends(collector: str) -> None:
    exporters = {signal: pipeline["exporters"] for signal, pipeline in pipelines(collector).items()}
    configured = CONFIGURATIONS[collector]["exporters"]

    assert exporters == BACKENDS[collector]
    assert {name: exporter["endpoint"] for name, exporter in configured.items() if name != "debug"} == {
        name: ADDRESSES[name] for name in configured if name != "debug"
    }
    assert "--web.enable-otlp-receiver" in SERVICES["prometheus"]["command"]


def test_no_log_body_reaches_the_output_of_the_collector() -> None:
    assert CONFIGURATIONS["collector-small"]["exporters"]["debug"] == {"verbosity": "basic"}
    assert "debug" not in CONFIGURATIONS["collector"]["exporters"]


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@pytest.mark.parametrize("collector", COLLECTORS)
def test_the_memory_limiter_comes_first_and_the_batch_last(collector: str, signal: str) -> None:
    processors = pipelines(collector)[signal]["processors"]

    assert (processors[0], processors[-1]) == ("memory_limiter", "batch")


@pytest.mark.parametrize("collector", COLLECTORS)
def test_the_collector_listens_where_its_ports_are_published(collector: str) -> None:
    protocols = CONFIGURATIONS[collector]["receivers"]["otlp"]["protocols"]
    endpoints = sorted(protocol["endpoint"] for protocol in protocols.values())
    targets = sorted(port.rsplit(":", 1)[1] for port in SERVICES[collector]["ports"])

    assert sorted(protocols) == ["grpc", "http"]
    assert endpoints == [f"0.0.0.0:{target}" for target in targets]


@pytest.mark.parametrize("collector", COLLECTORS)
def test_both_protocols_take_requests_of_the_same_size(collector: str) -> None:
    protocols = CONFIGURATIONS[collector]["receivers"]["otlp"]["protocols"]

    assert protocols["http"]["max_request_body_size"] == protocols["grpc"]["max_recv_msg_size_mib"] * 2**20
