"""Docker Compose reads docker-compose.yml; it starts nothing without an engine, but says what it would start."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from compose import ROOT, of_profile

if TYPE_CHECKING:
    from pathlib import Path


def read_by_compose(programs: dict[str, Path], *arguments: str, **variables: str) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
    command = [str(programs["docker-compose"]), *arguments, "config", "--format", "json"]
    done = subprocess.run(
        command, cwd=ROOT, env={**environment, **variables}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    read: dict[str, Any] = json.loads(done.stdout)
    return read


@pytest.mark.parametrize(("arguments", "profile"), [((), "full"), (("--profile", "small"), "small")])
def test_a_profile_starts_its_services_and_no_other(
    programs: dict[str, Path], arguments: tuple[str, ...], profile: str
) -> None:
    assert set(read_by_compose(programs, *arguments)["services"]) == of_profile(profile)


def test_a_port_can_be_another(programs: dict[str, Path]) -> None:
    [port] = read_by_compose(programs, GRAFANA_PORT="3001")["services"]["grafana"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "3001", 3000)
