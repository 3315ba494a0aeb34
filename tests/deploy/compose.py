"""The files of docker-compose.yml, read once for all tests of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "COLLECTORS",
    "COMPOSE",
    "COMPOSE_FILE",
    "CONFIGURATIONS",
    "PROMETHEUS",
    "ROOT",
    "SERVICES",
    "components",
    "mebibytes",
    "of_profile",
    "pipelines",
]

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())

SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
COLLECTORS = {
    "collector": ROOT / "deploy" / "collector" / "full.yaml",
    "collector-small": ROOT / "collector-config.yaml",
}
"""Services and the configurations that they read."""
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    name: yaml.safe_load(file.read_text()) for name, file in COLLECTORS.items()
}
MEBIBYTES = {"m": 1, "g": 1024, "MiB": 1, "GiB": 1024}


def mebibytes(size: str) -> int:
    """`512m` and `400MiB` as numbers."""
    matched = re.fullmatch(r"(\d+)([a-zA-Z]+)", size)
    assert matched is not None, size
    return int(matched[1]) * MEBIBYTES[matched[2]]


def pipelines(collector: str) -> dict[str, dict[str, list[str]]]:
    """What a Collector does with each signal."""
    configured: dict[str, dict[str, list[str]]] = CONFIGURATIONS[collector]["service"]["pipelines"]
    return configured


def components(collector: str, section: str) -> list[str]:
    """The components that the pipelines name in a section, each once."""
    return sorted({name for pipeline in pipelines(collector).values() for name in pipeline[section]})


def of_profile(profile: str) -> set[str]:
    """The services that a profile starts."""
    return {name for name, service in SERVICES.items() if profile in service["profiles"]}
