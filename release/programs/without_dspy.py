"""Nothing but the wheel: it can be imported and asked, and says what is missing."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, usage_scope

NAME = "opentelemetry-instrumentation-dspy"

DSPyInstrumentor().instrument()
with usage_scope() as usage:
    pass
assert usage.lm_calls == 0
points = [
    point
    for group in ("opentelemetry_instrumentor", "console_scripts")
    for point in importlib.metadata.entry_points(group=group)
    if point.dist is not None and point.dist.name == NAME
]
for point in points:
    point.load()
asked = subprocess.run(
    [Path(sys.executable).with_name("dspy-telemetry"), "doctor"], capture_output=True, text=True, check=False
)
assert "dspy" in asked.stdout, asked
assert "Traceback" not in asked.stderr, asked.stderr
print(len(points), "entry points")
