"""docs/recipes/workers.md: which servers deliver what their workers recorded, and with what help."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx
import pytest

from recipes.running import started

if TYPE_CHECKING:
    from otlp_receiver import OtlpReceiver

GUNICORN = ["gunicorn", "--chdir", "examples/recipes", "--workers", "2", "--bind", "127.0.0.1:0"]
UVICORN = ["uvicorn", "--app-dir", "examples/recipes", "--port", "0"]
SERVICE = "workers_service:app"

FORKS_HAVE_NAMES = tuple(map(int, version("opentelemetry-sdk").split(".")[:2])) >= (1, 44)
"""Whether a forked process has a ``service.instance.id`` of its own, as the page says of the SDK from 1.44 on."""


@pytest.mark.parametrize(
    ("command", "ready", "times"),
    [
        ([*GUNICORN, "--worker-class", "uvicorn.workers.UvicornWorker", SERVICE], "startup complete", 2),
        ([*GUNICORN, "--preload", "--worker-class", "asgi", SERVICE], "Booting worker", 2),
        ([*UVICORN, "--workers", "2", SERVICE], "startup complete", 2),
    ],
    ids=["gunicorn with uvicorn's workers", "gunicorn with its own", "uvicorn"],
)
def test_every_worker_delivers_what_it_recorded_last(
    command: list[str], ready: str, times: int, receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    workers = ask_eight_times(command, ready, times, settings)

    calls = [span for span in receiver.spans if span.name == "chat gpt-4o-mini"]
    points = [point for point in receiver.metrics if point.name == "gen_ai.client.operation.duration"]
    assert len(calls) == 8
    if FORKS_HAVE_NAMES or "gunicorn" not in command:
        assert len({span.origin.resource["service.instance.id"] for span in calls}) == len(set(workers))
    assert sorted(point.count or 0 for point in points) == sorted(workers.count(worker) for worker in set(workers))


def test_uvicorn_alone_delivers_nothing_of_the_last_seconds(receiver: OtlpReceiver, settings: dict[str, str]) -> None:
    # What the page warns of; without the lifespan, the rest of the program is the same.
    ask_eight_times([*UVICORN, "--lifespan", "off", SERVICE], "running on", 1, settings)

    assert (receiver.spans, receiver.metrics) == ([], [])


def test_the_service_ends_as_ever_where_there_is_no_telemetry(settings: dict[str, str]) -> None:
    with started([*UVICORN, SERVICE], settings, "running on") as said:
        [address] = re.findall(r"http://[\d.:]+", said[-1])
        assert httpx.get(f"{address}/ask", params={"question": "Where is the Nile?"}, timeout=110).status_code == 200

    assert [line for line in said if "ERROR" in line or "Traceback" in line] == []
    assert "Application shutdown complete" in "".join(said)


def ask_eight_times(command: list[str], ready: str, times: int, settings: dict[str, str]) -> list[int]:
    """Serve, ask and stop; returns which worker answered each time."""
    # Batches leave at the end alone, however slow the machine is.
    settings = {**settings, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    with started(["opentelemetry-instrument", *command], settings, ready, times) as said:
        address = re.findall(r"http://[\d.:]+", "".join(said))[0]
        return [
            httpx.get(f"{address}/ask", params={"question": "Where is the Nile?"}, timeout=110).json()["worker"]
            for _ in range(8)
        ]
