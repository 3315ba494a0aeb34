"""Runs an example under `opentelemetry-instrument`: `python examples/run.py streaming_chat`.

It starts the scripted model with the answers in the example's `script.json`; with DEMO_MODEL or DEMO_API_BASE set the
example asks that model instead. Every other setting is an environment variable of OpenTelemetry or LiteLLM; those that
are set already win.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from scripted_model import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES = Path(__file__).parent
NAMES = ("tenant_service", "streaming_chat", "watch_optimizer", "evaluation_in_ci")
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
MODEL = ("DEMO_MODEL", "DEMO_API_BASE")
OWN = {
    # The bill is none of the callers' requests.
    "tenant_service": {"OTEL_PYTHON_FASTAPI_EXCLUDED_URLS": "/costs"},
    "watch_optimizer": {
        # The tree of the run has its trials, and not the examples of each of them.
        "OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES": "linked",
        # What runs is told by dspy_console, which leaves the line to a progress bar where there is one.
        "TQDM_DISABLE": "1",
    },
}
"""Settings that an example has besides those that all have."""


def settings(name: str, given: Mapping[str, str], folder: str) -> dict[str, str]:
    """The environment of an example: spans on the terminal, and to the OTLP endpoint where there is one."""
    defaults = {
        "OTEL_SERVICE_NAME": name.replace("_", "-"),
        "OTEL_TRACES_EXPORTER": "dspy_console,otlp" if ENDPOINT in given else "dspy_console",
        "OTEL_METRICS_EXPORTER": "otlp" if ENDPOINT in given else "none",
        "OTEL_LOGS_EXPORTER": "otlp" if ENDPOINT in given else "none",
        # The SDK's own ids come from Python's global random numbers, which DSPy seeds.
        "OTEL_PYTHON_ID_GENERATOR": "dspy_system_random",
        # Each tree appears right after the answer that it belongs to, instead of up to five seconds later.
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        # Prices come from the table that DSPy brings; otherwise the first call would look for a newer one.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        # A cache of its own: each run begins without any answer.
        "DSPY_CACHEDIR": folder,
        "PYTHONUNBUFFERED": "1",
    }
    return {**defaults, **OWN.get(name, {}), **given}


def main(name: str = "", *arguments: str) -> int:
    """Run an example to its end and return its exit code."""
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    app = EXAMPLES / name / "app.py"
    if name not in NAMES:
        print(f"There is no example {name!r}. There are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        environment = settings(name, os.environ, stack.enter_context(tempfile.TemporaryDirectory()))
        if not any(os.environ.get(variable) for variable in MODEL):
            script = json.loads(app.with_name("script.json").read_text(encoding="utf-8"))
            model = stack.enter_context(ScriptedModel(script))
            environment |= {"DEMO_API_BASE": model.url, "OPENAI_API_KEY": "not-needed"}
        print(" ".join(["$ opentelemetry-instrument python", os.path.relpath(app), *arguments]), "\n", flush=True)
        command = [str(instrument), sys.executable, str(app), *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
