"""Finds the stack of docker-compose.yml where it runs on this machine: its Collector, and the pages that show it."""

from __future__ import annotations

import contextlib
import http.client
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["collector", "pages"]

PAGES = {"Grafana": ("GRAFANA_PORT", 3000, "/api/health"), "Jaeger": ("JAEGER_PORT", 16686, "/")}
"""The variable that docker-compose.yml reads the port from, the port otherwise, and what answers when it is up."""
PATIENCE = 2
"""Seconds for a page on this machine."""


def collector(settings: Mapping[str, str]) -> str:
    """Return where the Collector of the stack listens, whether it runs or not."""
    return f"http://localhost:{settings.get('OTLP_HTTP_PORT') or 4318}"


def pages(settings: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the addresses of the pages that answer, by name."""
    found = {}
    for name, (variable, usual, path) in PAGES.items():
        port = int(settings.get(variable) or usual)
        connection = http.client.HTTPConnection("localhost", port, timeout=PATIENCE)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", path)
            if connection.getresponse().status < 400:
                found[name] = f"http://localhost:{port}"
    return found
