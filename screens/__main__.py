"""Run the program in a real backend under each instrumentation, and read back what it shows: ``python -m screens``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import mlflow, phoenix, servers
from .page import table, write
from .pictures import take
from .reading import COLUMNS, kept, load, seen_of
from .tours import tour

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .reading import Column

ROOT = Path(__file__).parent.parent
EXAMPLES = [str(ROOT / "examples"), str(ROOT / "examples" / "support_desk")]
KEPT, PICTURES = ROOT / "build" / "screens", ROOT / "build" / "screens"
PAGE = ROOT / "docs" / "screens.md"

_PROGRAM_SECONDS, _ARRIVAL_SECONDS = 300, 120.0
_STEADY_READS = 3
"""Answers in a row with the same number of spans, after which no more are waited for."""


def main() -> int:
    """Fill the columns of one backend; write the page where all columns are filled."""
    parser = argparse.ArgumentParser(prog="python -m screens", description=__doc__)
    parser.add_argument("backend", choices=sorted({column.backend for column in COLUMNS}))
    parser.add_argument("--pictures", choices=("none", "few", "many"), default="few", help="of how many pages")
    options = parser.parse_args()
    sys.path[:0] = EXAMPLES
    start, read = {
        "phoenix": (servers.phoenix, phoenix.read),
        "mlflow": (servers.mlflow, mlflow.read),
    }[options.backend]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, start(Path(folder)) as url:
        for column in COLUMNS:
            if column.backend == options.backend:
                answer = _fill(column, url, lambda name: read(url, name))
                if options.pictures != "none":
                    take(tour(column, url, answer, is_long=options.pictures == "many"), PICTURES)
    return _write()


def _fill(column: Column, url: str, read: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Run the program for a column and keep what the backend has of it."""
    from .expected import expected_of
    from .launch import ENDED
    from .model import ScreensModel
    from .program import SCRIPT, TAUGHT

    print(f"{column.title}: the program runs", flush=True)
    began = time.monotonic()
    experiment = mlflow.create(url, column.name) if column.backend == "mlflow" else ""
    with ScreensModel(SCRIPT, TAUGHT) as model:
        output = subprocess.run(
            [sys.executable, "-m", "screens.launch", column.instrumentation, model.url],
            env=_environment(column, url, experiment),
            cwd=ROOT,
            capture_output=True,
            timeout=_PROGRAM_SECONDS,
            check=False,
            text=True,
        )
    if output.returncode:
        raise RuntimeError(f"the program failed:\n{output.stderr[-3000:]}")
    sent = int(output.stdout.rpartition(ENDED)[2])
    print(f"  it has ended after {time.monotonic() - began:.0f} s", flush=True)
    answer = _arrived(column, read, sent)
    spans = len(seen_of(column.backend, answer).spans)
    print(f"  {spans} spans arrived, {time.monotonic() - began:.0f} s in all", flush=True)
    versions = ", ".join(f"{name} {version(name)}" for name in (*column.packages, "dspy"))
    kept(column, KEPT, answer, expected_of(model.bill), versions)
    return answer


def _environment(column: Column, url: str, experiment: str) -> Mapping[str, str]:
    foreign = ("OTEL_", "DSPY_", "MLFLOW_", "PHOENIX_", "OPENAI_", "DEMO_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    paths = [str(ROOT), *EXAMPLES, *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {
        "PYTHONPATH": os.pathsep.join(paths),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
        "OTEL_INSTRUMENTATION_DSPY_OPENINFERENCE": "true",
    }
    if column.instrumentation == "autolog":
        where = {"MLFLOW_TRACKING_URI": url, "MLFLOW_EXPERIMENT_NAME": column.name}
    else:
        where = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "100",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "32",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "OTEL_SERVICE_NAME": "support-desk",
            "OTEL_RESOURCE_ATTRIBUTES": f"openinference.project.name={column.name}",
        }
        if experiment:
            where["OTEL_EXPORTER_OTLP_HEADERS"] = f"x-mlflow-experiment-id={experiment}"
    return {**inherited, **settings, **where}


def _arrived(column: Column, read: Callable[[str], dict[str, Any]], sent: int) -> dict[str, Any]:
    """Return what the backend has once all that was sent is there. Raises: `RuntimeError` where it never is.

    An instrumentation that cannot be asked what it sent has sent all once there is no more for a while.
    """
    until = time.monotonic() + _ARRIVAL_SECONDS
    count, steady = 0, 0
    while time.monotonic() < until:
        answer = read(column.name)
        found = len(seen_of(column.backend, answer).spans) if answer else 0
        steady = steady + 1 if found == count else 0
        count = found
        if (found >= sent > 0) or (sent == 0 and found and steady >= _STEADY_READS):
            return answer
        time.sleep(1)
    raise RuntimeError(f"{count} of {sent or 'some'} spans arrived in {_ARRIVAL_SECONDS:.0f} s")


def _write() -> int:
    readings = [load(column, KEPT) for column in COLUMNS]
    missing = [column.title for column, reading in zip(COLUMNS, readings, strict=True) if reading is None]
    filled = [reading for reading in readings if reading is not None]
    print(f"\n{table(filled)}\n", flush=True)
    if missing:
        print(f"{PAGE.relative_to(ROOT)} is as it was: not filled yet are {', '.join(missing)}")
    else:
        write(PAGE, filled)
        print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
