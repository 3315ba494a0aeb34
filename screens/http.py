"""JSON over HTTP to a backend on this machine."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

__all__ = ["ask"]

_SECONDS = 60


def ask(url: str, body: object | None = None) -> Any:
    """Return what an address answers: to a GET, or to a POST of a body. Raises: `OSError` where it does not."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        return json.load(answer)
