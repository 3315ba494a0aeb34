"""A package that is missing is told of, with the command that brings it: where nothing would be recorded or printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lean_environment import environment_without
from started import CALL, program, started

if TYPE_CHECKING:
    from pathlib import Path

    from started import Ended

INSTRUMENT = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
CONSOLE = ("--traces_exporter", "dspy_console", "--metrics_exporter", "none", "--logs_exporter", "none")


def run_without(folder: Path, *left_out: str) -> Ended:
    python = str(environment_without(folder / "environment", *left_out))
    command = (python, "-c", INSTRUMENT, *CONSOLE, python, program(folder, CALL + "print(call())\nprint(call())\n"))
    ended = started(*command, folder=folder)
    assert (ended.code, ended.output[:22]) == (0, "In Africa.\nIn Africa.\n"), ended.errors
    return ended


def test_without_the_sdk_the_console_says_what_to_install(tmp_path: Path) -> None:
    ended = run_without(tmp_path, "opentelemetry-sdk", "opentelemetry-distro")

    assert ended.notices == [
        "no tracer provider is set, so that nothing of this program's DSPy calls is recorded. The OpenTelemetry SDK is "
        'not installed: pip install "opentelemetry-instrumentation-dspy[console,otlp]", without which '
        "OTEL_TRACES_EXPORTER=dspy_console does nothing."
    ]


def test_without_the_distro_the_console_says_what_to_install(tmp_path: Path) -> None:
    ended = run_without(tmp_path, "opentelemetry-distro")

    assert ended.notices == [
        "no tracer provider is set, so that nothing of this program's DSPy calls is recorded. "
        "opentelemetry-instrument has nothing that sets the SDK up: pip install opentelemetry-distro, or "
        '"opentelemetry-instrumentation-dspy[console,otlp]".'
    ]


def test_without_rich_a_file_gets_the_trees_and_nothing_is_said(tmp_path: Path) -> None:
    ended = run_without(tmp_path, "rich")

    assert "Predict question -> answer" in ended.output
    assert ended.errors == ""
