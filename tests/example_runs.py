"""Runs of the examples as `make example` runs them, with a scripted model that takes no time and keeps a bill."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otlp_receiver import OtlpReceiver
from scripted_model import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otlp_records import MetricRecord, SpanRecord

__all__ = ["EXAMPLES", "KeptModel", "Run", "dollars_of", "read", "run"]

EXAMPLES = Path(__file__).parent.parent / "examples"
FOREIGN = ("DEMO_", "OTEL_", "DSPY_", "OPENAI_")

DOLLARS_PER_MILLION = {"gpt-4o-mini": (0.15, 0.6), "gpt-4o": (2.5, 10.0)}
"""What OpenAI asks for a million tokens of input and of output."""


class KeptModel(ScriptedModel):
    """An example's own scripted model, which keeps what it was asked and what it answered."""

    def __init__(self, name: str) -> None:
        super().__init__(read(name, "script.json"), pace=0)
        self.calls: list[tuple[Mapping[str, Any], dict[str, Any]]] = []

    def answer(self, path: str, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        status, body = super().answer(path, request)
        self.calls.append((request, body))
        return status, body


@dataclass(frozen=True, slots=True)
class Run:
    """What a run printed, asked the model for, and exported."""

    code: int
    output: str
    calls: list[tuple[Mapping[str, Any], dict[str, Any]]]
    spans: list[SpanRecord]
    points: list[MetricRecord]

    def named(self, name: str) -> list[SpanRecord]:
        """The spans whose name begins so, in order of their start."""
        return sorted((span for span in self.spans if span.name.startswith(name)), key=lambda span: span.start_ns)

    def lines(self, pattern: str) -> list[re.Match[str]]:
        """The lines of the output that look like this."""
        return [found for line in self.output.splitlines() if (found := re.fullmatch(pattern, line))]


def read(name: str, file: str) -> Any:
    """A file of an example, as JSON."""
    return json.loads((EXAMPLES / name / file).read_text(encoding="utf-8"))


def run(name: str, *arguments: str, **settings: str) -> Run:
    """Run an example to its end, in an environment without settings of the tests' own but these."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    with KeptModel(name) as model, OtlpReceiver() as receiver:
        ended = subprocess.run(
            [sys.executable, str(EXAMPLES / "run.py"), name, *arguments],
            env={
                **environment,
                "DEMO_API_BASE": model.url,
                "OPENAI_API_KEY": "test-key",
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                # `make example` installs no others; here they are for other tests, and take seconds to load.
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,threading",
                **settings,
            },
            capture_output=True,
            timeout=100,
            check=False,
            encoding="utf-8",
        )
        assert receiver.refusals == []
        assert "Traceback" not in ended.stderr, ended.stderr
        return Run(ended.returncode, ended.stdout, model.calls, receiver.spans, receiver.metrics)


def dollars_of(bodies: list[dict[str, Any]]) -> float:
    """What a provider asks for these answers."""
    return sum(
        body["usage"][tokens] * DOLLARS_PER_MILLION[body["model"]][place] / 1_000_000
        for body in bodies
        for place, tokens in enumerate(("prompt_tokens", "completion_tokens"))
    )
