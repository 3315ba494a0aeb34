"""A store that was filled by a real run of programs, and Prometheus over the same samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from debian import UnavailableError, unpacked
from stores import Store, prometheus, victoria_metrics
from zero_start import ZeroStart

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SERVICE, ENVIRONMENT = "support-desk", "production"
MODULES = ("src", "docs", "tests", "tests/stack", "tests/recorders/optimizers", "examples/support_desk")


PATIENCE = 600
"""Seconds for a test: whichever comes first waits for packages, and for the programs that fill the stores."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(PATIENCE))


@dataclass(frozen=True, slots=True)
class Day:
    """What a run of the workload left behind."""

    stores: tuple[Store, ...]
    """VictoriaMetrics first, then Prometheus."""
    usage: dict[str, dict[str, Any]]
    """What `usage_scope` counted, by part of the workload."""
    began: float
    ended: float
    """In seconds since 1970."""

    @property
    def exact(self) -> Store:
        """The store whose `increase()` is the difference of two samples; Prometheus' is drawn out to the window."""
        return self.stores[0]


@pytest.fixture(scope="session")
def programs() -> dict[str, Path]:
    """Stores and tools; without them nothing here can be checked, and pytest says why."""
    try:
        return unpacked()
    except UnavailableError as reason:
        pytest.skip(f"THE STACK IS NOT CHECKED: {reason}")


@pytest.fixture(scope="session")
def day(programs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """A run of the workload, and what the stores know of it."""
    folder = tmp_path_factory.mktemp("stack")
    with victoria_metrics(programs["victoria-metrics"], folder) as store:
        target = f"{store.address}/opentelemetry/v1/metrics"
        began = time.time()
        with ZeroStart(target) as relay:
            usage = run_program("workload.py", relay.endpoint, folder)
        store.flush()
        ended = time.time()
        with prometheus(programs["prometheus"], programs["promtool"], store, folder) as second:
            yield Day((store, second), usage, began, ended)


def run_program(script: str, endpoint: str, folder: Path, **settings: str) -> dict[str, dict[str, Any]]:
    """Run a program with metrics once a second; return what it counted."""
    with started_program(script, endpoint, folder, **settings) as program:
        return counted_by(program)


def started_program(script: str, endpoint: str, folder: Path, **settings: str) -> subprocess.Popen[str]:
    """Start a program with metrics once a second."""
    foreign = ("OTEL_", "DEMO_", "DSPY_", "OPENAI_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    own = {
        "PYTHONPATH": os.pathsep.join(str(ROOT / module) for module in MODULES),
        "DSPY_CACHEDIR": str(folder / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OTEL_SERVICE_NAME": SERVICE,
        "OTEL_RESOURCE_ATTRIBUTES": f"deployment.environment.name={ENVIRONMENT}",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    }
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    command = [str(instrument), sys.executable, str(HERE / script)]
    return subprocess.Popen(
        command, env={**environment, **own, **settings}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def counted_by(program: subprocess.Popen[str]) -> dict[str, dict[str, Any]]:
    """Wait for a program that was started; return what it counted."""
    output, errors = program.communicate(timeout=300)
    assert program.returncode == 0, errors[-3000:]
    counted: dict[str, dict[str, Any]] = json.loads(output.splitlines()[-1])
    return counted
