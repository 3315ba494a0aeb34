"""The backends of docker-compose.yml: the files follow their specifications and agree with each other.

No container runs here: what the images do with these files is not tested, what the files say is.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
COLLECTOR: dict[str, Any] = yaml.safe_load((ROOT / "collector-config.yaml").read_text())
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())

SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PIPELINES: dict[str, dict[str, list[str]]] = COLLECTOR["service"]["pipelines"]
MEBIBYTES = {"m": 1, "g": 1024, "MiB": 1, "GiB": 1024}


def check_against_the_compose_specification(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def mebibytes(size: str) -> int:
    """`512m` and `400MiB` as numbers."""
    matched = re.fullmatch(r"(\d+)([a-zA-Z]+)", size)
    assert matched is not None, size
    return int(matched[1]) * MEBIBYTES[matched[2]]


def components(section: str) -> list[str]:
    """The components that the pipelines name in a section, each once."""
    return sorted({name for pipeline in PIPELINES.values() for name in pipeline[section]})


def bind_mounts(service: str) -> list[tuple[str, str, str]]:
    """Source, target and mode of the host files in a service, whose sources begin with a dot."""
    mounts = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
    return [(mount[0], mount[1], mount[2]) for mount in mounts if mount[0].startswith(".")]


def test_the_compose_file_follows_the_compose_specification() -> None:
    checked = check_against_the_compose_specification(COMPOSE_FILE)

    assert (checked.returncode, checked.stdout) == (0, "ok -- validation done\n"), checked.stdout


def test_a_misspelt_key_in_the_compose_file_is_noticed(tmp_path: Path) -> None:
    misspelt = tmp_path / "docker-compose.yml"
    misspelt.write_text(COMPOSE_FILE.read_text().replace("mem_limit: 512m", "memory_limit: 512m"))

    checked = check_against_the_compose_specification(misspelt)

    assert checked.returncode == 1
    assert "'memory_limit' was unexpected" in checked.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_each_image_is_pinned_to_one_version(service: str) -> None:
    assert re.fullmatch(r"[a-z]+/[a-z-]+:v?\d+\.\d+\.\d+", SERVICES[service]["image"])


def test_the_published_ports_are_these_and_only_on_loopback() -> None:
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}

    assert published == {
        "collector": ["127.0.0.1:4317:4317", "127.0.0.1:4318:4318"],
        "jaeger": ["127.0.0.1:16686:16686"],
        "prometheus": ["127.0.0.1:9090:9090"],
    }


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_runs_without_privileges_secrets_or_a_writable_host_file(service: str) -> None:
    settings = SERVICES[service]

    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert settings["read_only"] is True
    assert list(settings["environment"]) == ["GOMEMLIMIT"]
    assert "env_file" not in settings
    assert "secrets" not in settings
    assert [mode for _, _, mode in bind_mounts(service) if mode != "ro"] == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_garbage_collector_acts_before_the_memory_limit_of_the_container(service: str) -> None:
    limit = mebibytes(SERVICES[service]["mem_limit"])

    assert limit / 2 < mebibytes(SERVICES[service]["environment"]["GOMEMLIMIT"]) < limit


def test_the_collector_refuses_data_before_the_memory_limit_of_its_container() -> None:
    limiter = COLLECTOR["processors"]["memory_limiter"]

    assert 0 < limiter["spike_limit_mib"] < limiter["limit_mib"]
    assert limiter["limit_mib"] < mebibytes(SERVICES["collector"]["mem_limit"])


def test_the_mounted_configuration_files_are_there_and_are_what_the_services_read() -> None:
    mounts = {name: bind_mounts(name) for name in SERVICES}

    assert mounts == {
        "collector": [("./collector-config.yaml", "/etc/otelcol/config.yaml", "ro")],
        "jaeger": [],
        "prometheus": [("./deploy/prometheus.yml", "/etc/prometheus/prometheus.yml", "ro")],
    }
    assert [source for mount in mounts.values() for source, _, _ in mount if not (ROOT / source).is_file()] == []
    assert SERVICES["collector"]["command"] == ["--config=/etc/otelcol/config.yaml"]
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]


def test_the_metrics_are_stored_in_a_volume_of_the_project() -> None:
    volumes = [volume.split(":") for volume in SERVICES["prometheus"]["volumes"]]

    assert ["prometheus-data", "/prometheus"] in volumes
    assert list(COMPOSE["volumes"]) == ["prometheus-data"]
    assert "--storage.tsdb.path=/prometheus" in SERVICES["prometheus"]["command"]


def test_the_collector_waits_until_every_backend_says_that_it_is_ready() -> None:
    exporters = [COLLECTOR["exporters"][name] for name in components("exporters")]
    backends = {urlsplit(exporter["endpoint"]).hostname for exporter in exporters if "endpoint" in exporter}

    assert backends == {"jaeger", "prometheus"}
    assert SERVICES["collector"]["depends_on"] == {backend: {"condition": "service_healthy"} for backend in backends}
    assert {backend: SERVICES[str(backend)]["healthcheck"]["test"][-1] for backend in backends} == {
        "jaeger": "http://127.0.0.1:13133/status",
        "prometheus": "http://127.0.0.1:9090/-/ready",
    }


@pytest.mark.parametrize("section", ["receivers", "processors", "exporters"])
def test_the_pipelines_use_every_component_that_is_defined_and_no_other(section: str) -> None:
    assert components(section) == sorted(COLLECTOR[section])


def test_each_signal_has_a_pipeline_to_its_backend() -> None:
    exporters = {signal: pipeline["exporters"] for signal, pipeline in PIPELINES.items()}

    assert exporters == {
        "traces": ["otlp_http/jaeger"],
        "metrics": ["otlp_http/prometheus"],
        "logs": ["debug"],
    }
    assert COLLECTOR["exporters"]["otlp_http/jaeger"] == {"endpoint": "http://jaeger:4318"}
    assert COLLECTOR["exporters"]["otlp_http/prometheus"] == {"endpoint": "http://prometheus:9090/api/v1/otlp"}
    assert "--web.enable-otlp-receiver" in SERVICES["prometheus"]["command"]


def test_no_log_body_reaches_the_output_of_the_collector() -> None:
    assert COLLECTOR["exporters"]["debug"] == {"verbosity": "basic"}


@pytest.mark.parametrize("signal", PIPELINES)
def test_the_memory_limiter_comes_first_and_the_batch_last(signal: str) -> None:
    processors = PIPELINES[signal]["processors"]

    assert (processors[0], processors[-1]) == ("memory_limiter", "batch")


def test_the_collector_listens_where_its_ports_are_published() -> None:
    protocols = COLLECTOR["receivers"]["otlp"]["protocols"]
    endpoints = sorted(protocol["endpoint"] for protocol in protocols.values())
    targets = sorted(port.rsplit(":", 1)[1] for port in SERVICES["collector"]["ports"])

    assert sorted(protocols) == ["grpc", "http"]
    assert endpoints == [f"0.0.0.0:{target}" for target in targets]


def test_both_protocols_take_requests_of_the_same_size() -> None:
    protocols = COLLECTOR["receivers"]["otlp"]["protocols"]

    assert protocols["http"]["max_request_body_size"] == protocols["grpc"]["max_recv_msg_size_mib"] * 2**20


def test_prometheus_gives_series_names_with_units_and_labels_that_tell_the_service() -> None:
    otlp = PROMETHEUS["otlp"]

    assert otlp["translation_strategy"] == "UnderscoreEscapingWithSuffixes"
    assert "service.name" in otlp["promote_resource_attributes"]


def test_prometheus_keeps_exemplars_delta_sums_and_the_start_of_a_short_program() -> None:
    [features] = [
        option.removeprefix("--enable-feature=")
        for option in SERVICES["prometheus"]["command"]
        if option.startswith("--enable-feature=")
    ]

    assert set(features.split(",")) == {
        "created-timestamp-zero-ingestion",
        "exemplar-storage",
        "otlp-deltatocumulative",
    }
