"""Two processes whose spans go to a real Phoenix: a program, and a gateway of its model that this process has.

Phoenix does not keep the names of services. So a process of ours tells the spans that it sends on its output too.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_model import NAME

from screens.http import ask

__all__ = [
    "CALLS",
    "CHAT",
    "FOLDER",
    "KEY",
    "PROGRAM",
    "ROOT",
    "Viewed",
    "exporting",
    "look",
    "run_program",
    "services_in",
]

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent

KEY = f"sk-{secrets.token_hex(32)}"
"""Of the gateway, as long as the tests run."""

PROGRAM, CHAT = "desk", f"chat {NAME}"
CALLS = 2
"""Calls of the model that each program makes."""


@dataclass(frozen=True)
class Viewed:
    """What Phoenix has, and which service sent what by its own account."""

    address: str
    spans: dict[str, Any]
    """By their ids."""
    services: dict[str, str]
    """The names of services, by the ids of spans."""

    def trace_of(self, root: str) -> list[Any]:
        """Return the spans of the trace that begins with a name."""
        [trace] = [span["context"]["trace_id"] for span in self.spans.values() if span["name"] == root]
        return [span for span in self.spans.values() if span["context"]["trace_id"] == trace]

    def parents(self, trace: list[Any], name: str) -> list[str | None]:
        """Return the names of the parents of the spans of a name."""
        parents = [self.spans.get(span["parent_id"]) for span in trace if span["name"] == name]
        return [None if parent is None else parent["name"] for parent in parents]


def exporting(service: str, endpoint: str, **variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    paths = [str(ROOT), str(ROOT / "examples" / "support_desk")]
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(paths),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
        **variables,
    }


def run_program(address: str, endpoint: str) -> str:
    """Run the program to its end and return what it told."""
    program = subprocess.run(
        [sys.executable, str(FOLDER / "gateway_program.py"), f"{address}/v1"],
        env=exporting(
            PROGRAM,
            endpoint,
            GATEWAY_KEY=KEY,
            OTEL_INSTRUMENTATION_DSPY_PROPAGATE="true",
            OTEL_INSTRUMENTATION_DSPY_OPENINFERENCE="true",
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY",
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert program.returncode == 0, program.stderr
    return program.stdout


def services_in(told: str) -> dict[str, str]:
    """Return the services by the ids of spans, from what console exporters wrote among other lines."""
    services, decoder = {}, json.JSONDecoder()
    begin = told.find("{\n")
    while begin >= 0:
        span, end = decoder.raw_decode(told, begin)
        services[span["context"]["span_id"].removeprefix("0x")] = span["resource"]["attributes"]["service.name"]
        begin = told.find("{\n", end)
    return services


def look(address: str, services: dict[str, str], named: dict[str, int] | None = None) -> Viewed:
    """Return what Phoenix has once the spans of the services are there, and as many of each name as are waited for.

    Phoenix takes them first and keeps them after.
    """
    until = time.monotonic() + 120
    viewed = Viewed(address, {}, services)
    while time.monotonic() < until:
        with suppress(urllib.error.HTTPError):  # the project is made with its first span
            found = ask(f"{address}/v1/projects/default/spans?limit=1000")["data"]
            viewed = Viewed(address, {span["context"]["span_id"]: span for span in found}, services)
        names = [span["name"] for span in viewed.spans.values()]
        if services.keys() <= viewed.spans.keys() and all(
            names.count(name) >= count for name, count in (named or {}).items()
        ):
            break
    return viewed
