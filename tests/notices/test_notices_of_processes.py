"""A program that is instrumented in code is told that processes started afresh are not; others are left in peace."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from started import BY_COMMAND, program, started

if TYPE_CHECKING:
    from pathlib import Path

BEGINNING = """
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from opentelemetry.instrumentation.dspy import DSPyInstrumentor


def set_up():
    DSPyInstrumentor().instrument()


def prepare(_number):
    set_up()


def work(number):
    return DSPyInstrumentor().is_instrumented_by_opentelemetry
"""

POOLS = """
    for method in sys.argv[1:]:
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context, initializer={initializer}) as pool:
            print(method, *pool.map(work, [1]))
"""

GUARDED = BEGINNING + '\nif __name__ == "__main__":\n    set_up()\n' + POOLS
ON_TOP = BEGINNING + '\nset_up()\nif __name__ == "__main__":' + POOLS
NOT_INSTRUMENTED = BEGINNING + '\nif __name__ == "__main__":' + POOLS

LOKY = GUARDED.partition("    for method")[0] + (
    "    from joblib import Parallel, delayed\n\n"
    "    print(Parallel(n_jobs=2)(delayed(work)(number) for number in range(2)))\n"
)


def run(folder: Path, text: str, *methods: str, launcher: tuple[str, ...] = ()) -> tuple[str, list[str]]:
    ended = started(*launcher, sys.executable, program(folder, text), *methods, folder=folder)
    assert ended.code == 0, ended.errors
    return ended.output, ended.notices


def test_processes_that_lack_the_instrumentation_are_told_of_once(tmp_path: Path) -> None:
    output, [line] = run(tmp_path, GUARDED.format(initializer=None), "spawn", "forkserver", "spawn")

    assert output == "spawn False\nforkserver False\nspawn False\n"
    assert line.startswith(
        "this program starts processes afresh (spawn, forkserver or loky), and they do not inherit the instrumentation "
        "that it made in code: DSPy calls in them are not recorded."
    )


def test_those_of_joblib_are_told_of_too(tmp_path: Path) -> None:
    output, notices = run(tmp_path, LOKY)

    assert (output, len(notices)) == ("[False, False]\n", 1)


@pytest.mark.parametrize(
    ("text", "output"),
    [
        (GUARDED.format(initializer="set_up"), "spawn True\n"),
        (GUARDED.format(initializer="partial(prepare, 1)"), "spawn True\n"),
        (ON_TOP.format(initializer=None), "spawn True\n"),
        (NOT_INSTRUMENTED.format(initializer=None), "spawn False\n"),
    ],
    ids=["initializer", "deeper in an initializer", "at the top of the program", "not at all"],
)
def test_processes_that_have_it_or_need_it_not_are_not_told_of(tmp_path: Path, text: str, output: str) -> None:
    assert run(tmp_path, text, "spawn") == (output, [])


def test_under_the_command_every_process_is_instrumented(tmp_path: Path) -> None:
    text = NOT_INSTRUMENTED.format(initializer=None)
    ended = started(
        BY_COMMAND,
        *("--traces_exporter", "none", "--metrics_exporter", "none", "--logs_exporter", "none"),
        *(sys.executable, program(tmp_path, text), "spawn"),
        folder=tmp_path,
    )
    assert (ended.output, ended.notices) == ("spawn True\n", [])


def test_forked_processes_inherit_it(tmp_path: Path) -> None:
    assert run(tmp_path, GUARDED.format(initializer=None), "fork") == ("fork True\n", [])


FORKING = """
import multiprocessing
import sys
from multiprocessing.util import Finalize

import dspy
from dspy.utils import DummyLM
from opentelemetry import trace
from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

dspy.configure(lm=DummyLM([{"answer": "In Africa."}] * 9))
ending = sys.argv[1]


def work():
    if ending == "at its end":
        Finalize(None, trace.get_tracer_provider().force_flush, exitpriority=1)
    if ending != "no call":
        dspy.Predict("question -> answer")(question="Where is the Nile?")
    if ending == "flushed":
        trace.get_tracer_provider().force_flush()


if __name__ == "__main__":
    provider = TracerProvider()
    exporter = InMemorySpanExporter()
    batches = BatchSpanProcessor(exporter, schedule_delay_millis=600_000)
    provider.add_span_processor(SimpleSpanProcessor(exporter) if ending == "one by one" else batches)
    trace.set_tracer_provider(provider)
    DSPyInstrumentor().instrument()
    dspy.Predict("question -> answer")(question="Where is the Nile?")
    for process in [multiprocessing.get_context("fork").Process(target=work) for _ in range(2)]:
        process.start()
        process.join()
"""


def test_spans_that_forked_processes_lose_are_told_of_once(tmp_path: Path) -> None:
    _, [line] = run(tmp_path, FORKING, "not flushed")

    assert line.startswith(
        "a process that multiprocessing has forked ends with 2 spans that were not sent yet, and they are lost: "
    )


@pytest.mark.parametrize("ending", ["flushed", "at its end", "no call", "one by one"])
def test_forked_processes_that_lose_none_are_not_told_of(tmp_path: Path, ending: str) -> None:
    assert run(tmp_path, FORKING, ending) == ("", [])
