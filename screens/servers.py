"""Real backends on this machine: each on a free port, with storage that goes with it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .http import ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["free_port", "mlflow", "phoenix", "running"]

_START_SECONDS, _STOP_SECONDS = 180.0, 20.0


@contextmanager
def phoenix(folder: Path) -> Iterator[str]:
    """Run Phoenix and yield its address. Raises: `RuntimeError` where it does not start."""
    port = free_port()
    settings = {
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
    }
    with running(["phoenix", "serve"], settings, folder, f"http://127.0.0.1:{port}", "/v1/projects") as url:
        yield url


@contextmanager
def mlflow(folder: Path) -> Iterator[str]:
    """Run MLflow's server and yield its address. Raises: `RuntimeError` where it does not start."""
    port = free_port()
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", str(folder / "kept")]
    settings = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    searching = "/api/2.0/mlflow/experiments/get?experiment_id=0"
    with running([*command, *stores], settings, folder, f"http://127.0.0.1:{port}", searching) as url:
        yield url


@contextmanager
def running(command: list[str], settings: Mapping[str, str], folder: Path, url: str, path: str) -> Iterator[str]:
    """Run a program that serves until the block ends; yield the URL once it answers with JSON.

    A name without a folder is a program beside this Python. What it says stands in ``server.log`` in the folder.
    Raises: `RuntimeError` where it does not start.
    """
    program = Path(sys.executable).parent / command[0]
    log = folder / "server.log"
    began = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(program), *command[1:]],
            env={**os.environ, **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, f"{url}{path}", log)
        print(f"{program.name} answers at {url} after {time.monotonic() - began:.0f} s", flush=True)
        yield url
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while not _answers(address):
        if time.monotonic() > until or process.poll() is not None:
            raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.5)


def _answers(address: str) -> bool:
    try:
        ask(address)
    except (OSError, ValueError):
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and what it started: all are in the session that was made for it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """Return a port that nobody listens on, below those that systems give to outgoing connections.

    A backend takes half a minute until it listens, in which one of those could be taken.
    """
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port
    raise RuntimeError("no port is free")
