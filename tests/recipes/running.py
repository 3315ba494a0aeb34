"""How the programs of `examples/recipes` are run: as a reader runs them, with a model and a backend on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server import ModelServer
    from otlp_receiver import OtlpReceiver
    from otlp_records import SpanRecord

__all__ = ["RECIPES", "ROOT", "environment", "run", "started", "tree"]

ROOT = Path(__file__).parent.parent.parent
RECIPES = ROOT / "examples" / "recipes"

_PROGRAMS = Path(sys.executable).parent


def environment(model: ModelServer, receiver: OtlpReceiver, folder: Path) -> dict[str, str]:
    """What a reader would have exported, and no settings of whoever runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
    return {
        **inherited,
        "PATH": os.pathsep.join([str(_PROGRAMS), inherited.get("PATH", "")]),
        "DSPY_CACHEDIR": str(folder / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "MODEL_URL": model.url,
        "OPENAI_API_KEY": "test-key",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "recipe",
        # They are among the tests' packages, and every process would import what they instrument.
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,fastapi,celery",
    }


def run(command: list[str], settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder of the repository, as the pages have it, until it ends; it has to end well."""
    ended = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended


@contextmanager
def started(command: list[str], settings: dict[str, str], ready: str, times: int = 1) -> Iterator[list[str]]:
    """A server in the folder of the repository, from when it has said `ready` so many times until SIGTERM has ended it.

    Yields what it says on standard error, to which the rest is added when it has ended.
    """
    server = subprocess.Popen(command, cwd=ROOT, env=settings, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    said: list[str] = []
    try:
        for line in server.stderr:
            said.append(line)
            times -= ready in line
            if times == 0:
                break
        assert times == 0, "".join(said)
        yield said
    finally:
        server.terminate()
        said.extend(server.communicate(timeout=110)[1].splitlines(keepends=True))


def tree(spans: list[SpanRecord]) -> str:
    """A picture of spans in order of their start, each below its parent."""
    ids = {span.span_id for span in spans}

    def lines(parent: str | None, depth: int) -> Iterator[str]:
        for span in sorted(spans, key=lambda span: span.start_ns):
            if (span.parent_span_id if span.parent_span_id in ids else None) == parent:
                yield "  " * depth + span.name
                yield from lines(span.span_id, depth + 1)

    return "\n".join(lines(None, 0))
