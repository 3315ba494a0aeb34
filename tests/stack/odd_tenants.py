"""Calls of tenants whose values are one text to a store, of an empty one, and of none.

Run under `opentelemetry-instrument`. The last line that it prints is JSON: how many calls are of each text.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import dspy
from model_server import ModelServer

from opentelemetry.instrumentation.dspy import telemetry_context

NOBODY = ""
"""What stands for no tenant: to a store a label without a text is none."""

CALLS: list[tuple[Any, str, int]] = [
    (7, "7", 2),
    ("7", "7", 3),
    (7.0, "7", 1),
    (True, "true", 1),
    ("true", "true", 2),
    ("", NOBODY, 2),
    (None, NOBODY, 4),
]
"""Tenants, each with its text and its calls; ``None`` is no block at all."""


def main() -> None:
    """Ask for each tenant."""
    counted: dict[str, int] = {}
    with ModelServer() as server:
        lm = dspy.LM("openai/gpt-4o-mini", api_base=server.url, api_key="none", cache=False)
        for tenant, text, calls in CALLS:
            with nullcontext() if tenant is None else telemetry_context(metric_attributes={"tenant": tenant}):
                for number in range(calls):
                    lm(f"Where is {number}?")
            counted[text] = counted.get(text, 0) + calls
    print(json.dumps({"calls": counted}))


if __name__ == "__main__":
    main()
