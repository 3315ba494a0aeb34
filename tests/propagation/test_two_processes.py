"""A program and its model's server are one trace, although they are two processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dspy
import pytest
from otlp_receiver import OtlpReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartTelemetry

FOLDER = Path(__file__).parent


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def port(receiver: OtlpReceiver) -> Iterator[str]:
    """The port of a model's server in a process of its own."""
    variables = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "PYTHONPATH": os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, str(FOLDER / "model_process.py")]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.mark.parametrize("engine", ["lm15", "litellm"])
def test_the_span_of_the_models_server_is_a_child_of_the_chat_span(
    start_telemetry: StartTelemetry,
    receiver: OtlpReceiver,
    port: str,
    engine: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_PROPAGATE", "true")
    telemetry = start_telemetry()
    lm = dspy.LM(
        "openai/gpt-4o-mini", api_base=f"http://127.0.0.1:{port}/v1", api_key="test-key", cache=False, engine=engine
    )
    lm("Where?")
    [served] = receiver.wait_for_spans(1)
    chat = telemetry.span("chat gpt-4o-mini")
    assert served.name == "llm_request"
    assert served.trace_id == f"{chat.context.trace_id:032x}"
    assert served.parent_span_id == f"{chat.context.span_id:016x}"
