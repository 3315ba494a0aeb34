"""Switching the instrumentation on and off, with DSPy, without it, and with one that is too old or too new."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import dspy
import pytest
from dspy.utils import DummyLM
from opentelemetry.instrumentation.utils import suppress_instrumentation
from packaging.version import Version

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartTelemetry
    from recorded import Recorded

# A Python without DSPy, but for the version that is written into a folder of its own: an installed distribution
# of that name.
WITHOUT_DSPY = """
import importlib.metadata, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "dspy":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.path[:] = [path for path in sys.path if path]
distribution = importlib.metadata.distribution

def without_dspy(name):
    if name == "dspy":
        if VERSION is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.PathDistribution(__import__("pathlib").Path(FOLDER))
    return distribution(name)

importlib.metadata.distribution = without_dspy
"""

SWITCH_ON = """
import logging
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
from opentelemetry.instrumentation.dspy import DSPyInstrumentor
instrumentor = DSPyInstrumentor()
instrumentor.instrument()
print(instrumentor.is_instrumented_by_opentelemetry)
assert "dspy" not in sys.modules
"""


def run(program: str, **environment: str) -> tuple[str, list[str]]:
    """What a program prints, and the lines that it logs."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ended = subprocess.run(
        [sys.executable, "-c", program], env={**variables, **environment}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout, ended.stderr.splitlines()


def without_dspy(version: str | None, folder: Path) -> str:
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dspy\nVersion: {version}\n")
    return f"VERSION, FOLDER = {version!r}, {str(folder)!r}\n{WITHOUT_DSPY}"


def says_which_instrumentor() -> bool:
    """Whether the installed OpenTelemetry says whose requirement is not met."""
    return Version(importlib.metadata.version("opentelemetry-instrumentation")) >= Version("0.66b0")


@pytest.mark.parametrize(
    ("version", "reason", "found"),
    [
        (None, "no installed version was found", "None"),
        ("2.5.43", 'currently installed version ("dspy 2.5.43") falls outside of that range', "dspy 2.5.43"),
        ("4.0.0", 'currently installed version ("dspy 4.0.0") falls outside of that range', "dspy 4.0.0"),
    ],
)
def test_without_a_dspy_that_it_knows_it_says_so_once_and_does_nothing(
    version: str | None, reason: str, found: str, tmp_path: Path
) -> None:
    printed, logged = run(without_dspy(version, tmp_path) + SWITCH_ON)
    assert printed == "False\n"
    [line] = logged
    assert line.startswith("ERROR ")
    assert ">= 2.6.27" in line
    # The words are those of opentelemetry-instrumentation, which has others since 0.66b0.
    if says_which_instrumentor():
        assert 'DSPyInstrumentor only instruments "dspy' in line
        assert reason in line
    else:
        assert 'requested: "dspy >= 2.6.27, < 4"' in line
        assert f'found: "{found}"' in line


@pytest.mark.parametrize("version", ["2.6.27", "3.4.1", "3.99.0"])
def test_every_dspy_of_its_range_is_taken(version: str, tmp_path: Path) -> None:
    printed, logged = run(without_dspy(version, tmp_path) + SWITCH_ON)
    assert (printed, logged) == ("True\n", [])


def test_dspy_is_imported_by_the_application_and_instrumented_then_with_the_global_providers() -> None:
    program = """
import sys
from opentelemetry import trace
from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

DSPyInstrumentor().instrument()
assert not {"dspy", "litellm"} & set(sys.modules)
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

import dspy

class Workflow(dspy.Module):
    def forward(self):
        return "done"

print(Workflow()())
DSPyInstrumentor().uninstrument()
print(Workflow()())
print([span.name for span in exporter.get_finished_spans()])
"""
    assert run(program)[0].splitlines() == ["done", "done", "['invoke_workflow Workflow']"]


def test_switched_off_before_dspy_is_imported_it_leaves_dspy_alone_and_works_without_an_sdk_later() -> None:
    program = """
from opentelemetry.instrumentation.dspy import DSPyInstrumentor, span_context_of, usage_scope
DSPyInstrumentor().instrument()
DSPyInstrumentor().uninstrument()

import dspy
from dspy.utils import DummyLM

print(type(vars(dspy.Module)["__call__"]).__name__, "__init_subclass__" in vars(dspy.Module))
DSPyInstrumentor().instrument()
dspy.configure(lm=DummyLM([{"answer": "here"}]))
with usage_scope() as usage:
    prediction = dspy.Predict("question -> answer")(question="Where?")
print(prediction.answer, usage.lm_calls, span_context_of(prediction))
"""
    assert run(program)[0].splitlines() == ["function False", "here 1 None"]


@pytest.mark.complaints
def test_switching_on_twice_is_noticed_and_records_once(
    start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = start_telemetry()
    DSPyInstrumentor().instrument(**recorded.providers)
    assert [record.getMessage() for record in caplog.records] == [
        "DSPy is instrumented already: logger_provider, meter_provider, tracer_provider had no effect. Call "
        "uninstrument() first to instrument it in another way."
    ]
    with dspy.context(lm=DummyLM([{"answer": "here"}])):
        dspy.Predict("question -> answer")(question="Where?")
    assert recorded.tree() == "Predict question -> answer\n  chat dummy"


def test_on_and_off_and_on_again_goes_to_the_providers_of_each_time(start_telemetry: StartTelemetry) -> None:
    def ask() -> None:
        with dspy.context(lm=DummyLM([{"answer": "here"}])):
            dspy.Predict("question -> answer")(question="Where?")

    tree = "Predict question -> answer\n  chat dummy"
    first = start_telemetry()
    ask()
    DSPyInstrumentor().uninstrument()
    ask()
    second = start_telemetry()
    ask()
    assert (first.tree(), second.tree()) == (tree, tree)
    [point] = second.metric_points("gen_ai.client.operation.duration")
    assert point.count == 1


def test_suppressed_calls_leave_no_trace_at_all(telemetry: Recorded, lm: dspy.LM) -> None:
    with suppress_instrumentation():
        dspy.ChainOfThought("question -> answer")(question="Where?")
    assert telemetry.spans == []
    assert telemetry.metric_points("gen_ai.client.operation.duration") == []
    assert telemetry.metric_points("dspy.module.duration") == []


def test_a_completion_hook_gets_the_content_though_the_spans_do_not(start_telemetry: StartTelemetry) -> None:
    uploaded: list[tuple[str, str]] = []

    class Hook:
        def on_completion(self, *, inputs: list[object], outputs: list[object], **others: object) -> None:
            uploaded.append((str(inputs), str(outputs)))

    recorded = start_telemetry(completion_hook=Hook())
    DummyLM([{"answer": "here"}])("Where is it?")
    [(inputs, outputs)] = uploaded
    assert "Where is it?" in inputs
    assert "here" in outputs
    assert "Where is it?" not in recorded.everything()
