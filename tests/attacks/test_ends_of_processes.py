"""A process that is forked, spawned or ended while calls are under way ends as it does without the instrumentation."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from started import CALL, program, started

if TYPE_CHECKING:
    from pathlib import Path

HEAD = f"""
import asyncio, atexit, os, sys, threading
{CALL}

class Waiting(dspy.Module):
    def forward(self, work):
        return work()

    async def aforward(self, work):
        return await work()


if "on" in sys.argv:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.sdk.metrics import MeterProvider

    class Names(SpanExporter):
        def export(self, spans):
            for span in spans:
                os.write(2, (span.name + chr(10)).encode())
            return SpanExportResult.SUCCESS

    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Names()))
    from opentelemetry.instrumentation.dspy import DSPyInstrumentor

    DSPyInstrumentor().instrument(tracer_provider=tracers, meter_provider=MeterProvider())
"""

INSIDE = "Waiting()(work=lambda: {})"
BOTH = "Predict question -> answer", "chat dummy"

ENDS = {
    "at its end": ("print(call())", BOTH),
    "exit inside of a call": (INSIDE.format("[call(), sys.exit(3)]"), ("invoke_workflow Waiting", *BOTH)),
    "an error inside of a call": (
        f"try:\n    {INSIDE.format('1 / 0')}\nexcept ZeroDivisionError:\n    print('an error')",
        ("invoke_workflow Waiting",),
    ),
    "at once inside of a call": (INSIDE.format("os._exit(4)"), ()),
    "in a handler of the exit": ("atexit.register(lambda: print(call()))", BOTH),
    "with a daemon that calls": (
        "held, told = threading.Event(), threading.Event()\n"
        "def work():\n    told.set()\n    held.wait()\n"
        "threading.Thread(target=lambda: Waiting()(work=work), daemon=True).start()\n"
        "told.wait()\nprint(call())",
        BOTH,
    ),
    "with tasks that are never awaited to the end": (
        "async def work():\n    await asyncio.Event().wait()\n"
        "async def main():\n"
        "    tasks = [asyncio.ensure_future(Waiting().acall(work=work)) for _ in range(3)]\n"
        "    await asyncio.wait(tasks, timeout=0.01)\n    print(call())\n"
        "asyncio.run(main())",
        ("invoke_workflow Waiting",) * 3 + BOTH,
    ),
}
if hasattr(os, "fork"):
    ENDS["in a child that was forked inside of a call"] = (
        "def work():\n"
        "    child = os.fork()\n"
        "    if child == 0:\n        print(call(), flush=True)\n        os._exit(0)\n"
        "    return os.waitpid(child, 0)[1]\n"
        "print(Waiting()(work=work))\nprint(call())",
        ("invoke_workflow Waiting", *BOTH),
    )
WITHOUT_WORDS_ON_FORK = "ignore:This process:DeprecationWarning"
"""From 3.12 on Python warns of a fork beside other threads, and the SDK's batch processor has one."""

SPAWNING = (
    "import multiprocessing\n"
    "if __name__ == '__main__':\n"
    "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
    "        print(pool.apply(call))\n"
    "        pool.close()\n        pool.join()\n    print(call())"
)
# The new process runs the program's beginning, and so has the instrumentation too.
ENDS["with a process that was spawned"] = (SPAWNING, BOTH * 2)


@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_a_process(tmp_path: Path, name: str) -> None:
    text, spans = ENDS[name]
    path = program(tmp_path, f"{HEAD}\n{text}\n")
    without = started(sys.executable, path, folder=tmp_path)
    settings = {"OTEL_INSTRUMENTATION_DSPY_NOTICES": "false", "PYTHONWARNINGS": WITHOUT_WORDS_ON_FORK}
    under = started(sys.executable, path, "on", folder=tmp_path, **settings)
    assert (under.code, under.output) == (without.code, without.output)
    assert sorted(under.errors.splitlines()) == sorted([*without.errors.splitlines(), *spans])
