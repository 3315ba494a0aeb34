"""Programs that tests start as a user would: in a process of their own, with an environment that is known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BY_COMMAND", "CALL", "Ended", "each_started", "notices_in", "program", "started"]

BY_COMMAND = str(Path(sys.executable).with_name("opentelemetry-instrument"))
"""The command that sets telemetry up from the environment."""

CALL = """
import dspy
from dspy.utils import DummyLM

dspy.configure(lm=DummyLM([{"answer": "In Africa."}] * 9))


def call():
    return dspy.Predict("question -> answer")(question="Where is the Nile?").answer
"""
"""What a program begins with that calls DSPy without any server."""

PREFIX = "opentelemetry-instrumentation-dspy: "


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that has ended."""

    code: int
    output: str
    errors: str

    @property
    def notices(self) -> list[str]:
        """The lines on standard error that are this library's, without its name."""
        return notices_in(self.errors)


def notices_in(text: str) -> list[str]:
    """Return the notices in what stands on a standard error."""
    return [line.removeprefix(PREFIX) for line in text.splitlines() if line.startswith(PREFIX)]


def started(*command: str, folder: Path, timeout: float = 100, **variables: str) -> Ended:
    """Run a command in a folder, without the options of whoever runs the tests, and wait for its end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "FORCE_"))}
    environment = {
        **inherited,
        "DSPY_CACHEDIR": str(folder / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONIOENCODING": "utf-8",
        **variables,
    }
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=timeout, check=False
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def program(folder: Path, text: str) -> str:
    """Write a program and return its path."""
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return str(path)


_FORKING = """
import json, os, sys

import dspy
from dspy.utils import DummyLM

import opentelemetry.instrumentation.dspy

for name, text in json.load(open(sys.argv[1], encoding="utf-8")).items():
    child = os.fork()
    if not child:
        for stream, ending in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{name}.{ending}", os.O_WRONLY | os.O_CREAT), stream)
        try:
            exec(compile(text, name, "exec"), {"__name__": "__main__"})
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        sys.__stdout__.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    with open(f"{name}.code", "w") as file:
        file.write(str(os.waitstatus_to_exitcode(status)))
"""


def each_started(folder: Path, programs: dict[str, str], **variables: str) -> dict[str, Ended]:
    """Run each program in a process of its own, all forked from one that has imported DSPy and this library."""
    texts = folder / "programs.json"
    texts.write_text(json.dumps(programs), encoding="utf-8")
    forking = started(sys.executable, program(folder, _FORKING), str(texts), folder=folder, **variables)
    assert forking.code == 0, forking.errors

    def ended(name: str) -> Ended:
        output, errors, code = ((folder / f"{name}.{ending}").read_text("utf-8") for ending in ("out", "err", "code"))
        return Ended(int(code), output, errors)

    return {name: ended(name) for name in programs}
