"""The backends of docker-compose.yml: the files follow their specifications and agree with each other.

No container runs here: what the images do with these files is not tested, what the files say is.
"""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from compose import COLLECTORS, COMPOSE, COMPOSE_FILE, PROMETHEUS, ROOT, SERVICES, mebibytes, of_profile

if TYPE_CHECKING:
    from pathlib import Path


def check_against_the_compose_specification(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


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


def test_everything_starts_unless_the_small_profile_is_asked_for() -> None:
    """Compose reads .env beside its file; --profile on the command line takes the place of what stands there."""
    settings = [line for line in (ROOT / ".env").read_text().splitlines() if line and not line.startswith("#")]

    assert settings == ["COMPOSE_PROFILES=full"]
    assert of_profile("full") == {"collector", "grafana", "jaeger", "loki", "prometheus", "tempo"}
    assert of_profile("small") == {"collector-small", "jaeger", "prometheus"}


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_waits_for_one_that_its_profiles_do_not_start(service: str) -> None:
    for profile in SERVICES[service]["profiles"]:
        assert set(SERVICES[service].get("depends_on", {})) <= of_profile(profile)


@pytest.mark.parametrize("service", SERVICES)
def test_each_image_is_pinned_to_one_version(service: str) -> None:
    assert re.fullmatch(r"[a-z]+/[a-z-]+:v?\d+\.\d+\.\d+", SERVICES[service]["image"])


def test_the_published_ports_are_these_only_on_loopback_and_each_can_be_another() -> None:
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    collector = ["127.0.0.1:${OTLP_GRPC_PORT:-4317}:4317", "127.0.0.1:${OTLP_HTTP_PORT:-4318}:4318"]

    assert published == {
        "collector": collector,
        "collector-small": collector,
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
        "jaeger": ["127.0.0.1:${JAEGER_PORT:-16686}:16686"],
        "loki": ["127.0.0.1:${LOKI_PORT:-3100}:3100"],
        "prometheus": ["127.0.0.1:${PROMETHEUS_PORT:-9090}:9090"],
        "tempo": ["127.0.0.1:${TEMPO_PORT:-3200}:3200"],
    }


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_runs_without_privileges_secrets_or_a_writable_host_file(service: str) -> None:
    settings = SERVICES[service]
    environment = {name for name in settings["environment"] if not name.startswith("GF_")}

    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert settings["read_only"] is True
    assert environment == {"GOMEMLIMIT"}
    assert "env_file" not in settings
    assert "secrets" not in settings
    assert [mode for _, _, mode in bind_mounts(service) if mode != "ro"] == []


def test_grafana_has_no_login_and_sends_nothing_home() -> None:
    settings = {name: value for name, value in SERVICES["grafana"]["environment"].items() if name.startswith("GF_")}

    assert settings == {
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Editor",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        "GF_AUTH_BASIC_ENABLED": "false",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_AUTO_UPDATE": "false",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": "/etc/dashboards/cost-and-calls.json",
    }


@pytest.mark.parametrize("service", SERVICES)
def test_the_garbage_collector_acts_before_the_memory_limit_of_the_container(service: str) -> None:
    limit = mebibytes(SERVICES[service]["mem_limit"])

    assert limit / 2 < mebibytes(SERVICES[service]["environment"]["GOMEMLIMIT"]) < limit


def test_the_mounted_configuration_files_are_there_and_are_what_the_services_read() -> None:
    mounts = {name: bind_mounts(name) for name in SERVICES if bind_mounts(name)}

    assert mounts == {
        "collector": [("./deploy/collector/full.yaml", "/etc/otelcol/config.yaml", "ro")],
        "collector-small": [("./collector-config.yaml", "/etc/otelcol/config.yaml", "ro")],
        "grafana": [
            ("./deploy/grafana/provisioning", "/etc/grafana/provisioning", "ro"),
            ("./deploy/grafana/dashboards", "/etc/dashboards", "ro"),
        ],
        "loki": [("./deploy/loki.yaml", "/etc/loki/loki.yaml", "ro")],
        "prometheus": [
            ("./deploy/prometheus/prometheus.yml", "/etc/prometheus/prometheus.yml", "ro"),
            ("./deploy/prometheus/rules.yml", "/etc/prometheus/rules.yml", "ro"),
        ],
        "tempo": [("./deploy/tempo.yaml", "/etc/tempo/tempo.yaml", "ro")],
    }
    assert [source for mount in mounts.values() for source, _, _ in mount if not (ROOT / source).exists()] == []
    for collector in COLLECTORS:
        assert SERVICES[collector]["command"] == ["--config=/etc/otelcol/config.yaml"]
    assert SERVICES["loki"]["command"] == ["-config.file=/etc/loki/loki.yaml"]
    assert SERVICES["tempo"]["command"] == ["-config.file=/etc/tempo/tempo.yaml"]
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]
    assert PROMETHEUS["rule_files"] == ["/etc/prometheus/rules.yml"]


def test_what_is_stored_lies_in_volumes_of_the_project() -> None:
    named = {
        name: [volume for volume in service.get("volumes", []) if not volume.startswith(".")]
        for name, service in SERVICES.items()
    }

    assert {name: volumes for name, volumes in named.items() if volumes} == {
        "grafana": ["grafana-data:/var/lib/grafana"],
        "loki": ["loki-data:/loki"],
        "prometheus": ["prometheus-data:/prometheus"],
        "tempo": ["tempo-data:/var/tempo"],
    }
    assert list(COMPOSE["volumes"]) == ["grafana-data", "loki-data", "prometheus-data", "tempo-data"]
    assert "--storage.tsdb.path=/prometheus" in SERVICES["prometheus"]["command"]


def test_loki_writes_into_its_volume_and_nowhere_else() -> None:
    loki = yaml.safe_load((ROOT / "deploy" / "loki.yaml").read_text())
    assert loki["common"]["storage"]["filesystem"]["chunks_directory"].startswith("/loki/")
    # With the other way of storing that block is not read, and chunks go into the working directory.
    assert loki["storage_config"] == {"use_thanos_objstore": False}


def test_each_service_but_the_collectors_says_whether_it_is_healthy() -> None:
    asked = {name: service["healthcheck"]["test"][-1] for name, service in SERVICES.items() if "healthcheck" in service}

    assert asked == {
        "grafana": "http://127.0.0.1:3000/api/health",
        "jaeger": "http://127.0.0.1:13133/status",
        "loki": "-health.url=http://127.0.0.1:3100/ready",
        "prometheus": "http://127.0.0.1:9090/-/ready",
        "tempo": "--health.url=http://127.0.0.1:3200/ready",
    }
    assert set(SERVICES) - set(asked) == set(COLLECTORS)


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


def test_a_prometheus_of_the_readers_own_is_started_as_the_one_of_the_stack() -> None:
    page = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    [row] = re.findall(r"^\| Prometheus \|.*$", page, re.MULTILINE)
    told = re.findall(r"`--([\w.-]+)(?:=([\w-]+))?`", row)

    assert {name for name, _ in told} == {"web.enable-otlp-receiver", "enable-feature"}
    for name, value in told:
        [option] = [word for word in SERVICES["prometheus"]["command"] if word.startswith(f"--{name}")]
        assert not value or value in option.partition("=")[2].split(",")
