"""The doctor, run as a user runs it, and what it says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from started import Ended, started

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DOCTOR", "HTTP", "TRACES_ALONE", "changes", "doctor", "findings"]

DOCTOR = ("-m", "opentelemetry.instrumentation.dspy", "doctor")
HTTP = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_SERVICE_NAME": "desk"}
TRACES_ALONE = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def doctor(folder: Path, *arguments: str, launcher: tuple[str, ...] = (), **variables: str) -> Ended:
    ended = started(*launcher, sys.executable, *DOCTOR, *arguments, folder=folder, **variables)
    assert ended.code in (0, 1), ended.errors
    assert ended.errors == ""
    return ended


def changes(ended: Ended) -> list[str]:
    """What is to change, each with what to do, however it is broken into lines."""
    found: list[str] = []
    is_inside = False
    for line in ended.output.splitlines():
        if line.startswith("  CHANGE  "):
            found.append(line[10:])
        elif is_inside and line.startswith(" " * 10):
            found[-1] += f" {line.strip()}"
        is_inside = line.startswith(("  CHANGE  ", " " * 10)) and bool(found) and (is_inside or "CHANGE" in line)
    return found


def findings(document: dict[str, Any], section: str) -> dict[str, dict[str, Any]]:
    [found] = [one["findings"] for one in document["sections"] if one["key"] == section]
    return {finding["key"]: finding for finding in found}
