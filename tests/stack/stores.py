"""Two stores that answer PromQL: VictoriaMetrics, which takes OTLP, and Prometheus itself over what that took."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Series", "Store", "prometheus", "victoria_metrics"]

PATIENCE = 100
"""Seconds until a program that was started must answer."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer."""

    labels: dict[str, str]
    values: list[float]
    """Those that are numbers."""


@dataclass(frozen=True, slots=True)
class Store:
    """A store that answers PromQL over HTTP."""

    name: str
    address: str

    def at(self, expression: str, moment: float) -> list[Series]:
        """Return what an expression gives at one moment, in seconds since 1970."""
        answer = self._ask("query", query=expression, time=moment)
        return [_series(one, [one["value"]]) for one in answer["result"]]

    def between(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Return what an expression gives over time."""
        answer = self._ask("query_range", query=expression, start=start, end=end, step=step)
        return [_series(one, one["values"]) for one in answer["result"]]

    def value(self, expression: str, moment: float) -> float:
        """Return the one number that an expression gives."""
        [one] = self.at(expression, moment)
        [value] = one.values
        return value

    def everything(self) -> list[dict[str, Any]]:
        """Return all series with all their samples, as VictoriaMetrics exports them."""
        content = self._get("/api/v1/export?" + urllib.parse.urlencode({"match[]": '{__name__!=""}'}))
        return [json.loads(line) for line in content.splitlines()]

    def flush(self) -> None:
        """Make what VictoriaMetrics has taken visible to queries."""
        self._get("/internal/force_flush")

    def _ask(self, what: str, **parameters: object) -> Any:
        return json.loads(self._get(f"/api/v1/{what}?{urllib.parse.urlencode(parameters)}"))["data"]

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self.address + path, timeout=PATIENCE) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise ValueError(f"{self.name}: {error.read().decode()}") from error


def _series(one: dict[str, Any], samples: list[list[Any]]) -> Series:
    values = [float(value) for _, value in samples]
    return Series(one["metric"], [value for value in values if math.isfinite(value)])


@contextlib.contextmanager
def victoria_metrics(program: Path, folder: Path) -> Iterator[Store]:
    """Run an empty store that takes OTLP at `/opentelemetry/v1/metrics` and names series as Prometheus does."""
    address = f"127.0.0.1:{_free_port()}"
    command = [
        *(program, f"-storageDataPath={folder / 'victoria-metrics'}", f"-httpListenAddr={address}"),
        *("-opentelemetry.usePrometheusNaming", "-search.latencyOffset=0s", "-retentionPeriod=1d"),
    ]
    with _running(command, f"http://{address}/health", folder / "victoria-metrics.log"):
        yield Store("VictoriaMetrics", f"http://{address}")


@contextlib.contextmanager
def prometheus(program: Path, promtool: Path, filled: Store, folder: Path) -> Iterator[Store]:
    """Run Prometheus over the samples of another store."""
    (folder / "samples.txt").write_text(_open_metrics(filled.everything()), encoding="utf-8")
    blocks = folder / "prometheus"
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", folder / "samples.txt", blocks],
        check=True,
        capture_output=True,
    )
    (folder / "prometheus.yml").write_text("scrape_configs: []\n", encoding="utf-8")
    address = f"127.0.0.1:{_free_port()}"
    command = [
        *(program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={blocks}"),
        *(f"--web.listen-address={address}",),
    ]
    with _running(command, f"http://{address}/-/ready", folder / "prometheus.log"):
        yield Store("Prometheus", f"http://{address}")


def _open_metrics(everything: list[dict[str, Any]]) -> str:
    lines = []
    for series in sorted(everything, key=lambda one: str(one["metric"]["__name__"])):
        labels = ",".join(
            f"{name}={json.dumps(value)}" for name, value in series["metric"].items() if name != "__name__"
        )
        for value, moment in zip(series["values"], series["timestamps"], strict=True):
            lines.append(f"{series['metric']['__name__']}{{{labels}}} {value} {moment / 1000}\n")
    return "".join([*lines, "# EOF\n"])


@contextlib.contextmanager
def _running(command: list[Any], ready: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as program:
        try:
            _wait_until(ready, program, log)
            yield
        finally:
            program.terminate()


def _wait_until(ready: str, program: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and program.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(ready, timeout=PATIENCE):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{ready} did not answer:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
