"""An item that takes too long is run again by DSPy, and the second run is marked."""

from __future__ import annotations

import inspect
import threading
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from desk import below
from dspy.utils import parallelizer
from recorded import attributes_of

if TYPE_CHECKING:
    from recorded import Recorded


def join_pool_threads() -> None:
    """Wait for the threads of DSPy's pools, which DSPy itself does not wait for."""
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join(10)


class Slow(dspy.Module):
    """Its first run of item 0 lasts until a second one has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.started = threading.Event()
        self.repeated = threading.Event()

    def forward(self, number: int) -> str:
        if number == 0 and self.started.is_set():
            self.repeated.set()
            return "second"
        if number == 0:
            self.started.set()
            assert self.repeated.wait(30)
            return "first"
        assert self.started.wait(30)
        return "other"

    def __deepcopy__(self, memo: dict[int, Any]) -> Slow:
        return self


def run_with_a_straggler(module: dspy.Module) -> list[str]:
    """Run items 0 and 1 as ``Parallel`` does, which takes a time limit of its own only since DSPy 3.1."""
    executor = parallelizer.ParallelExecutor(
        num_threads=3, max_errors=1, disable_progress_bar=True, timeout=0.000001, straggler_limit=3
    )
    results = executor.execute(lambda number: module(number=number), [0, 1])
    join_pool_threads()
    return list(results)


def test_a_straggler_is_a_second_marked_run(telemetry: Recorded) -> None:
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("request"):
        results = run_with_a_straggler(Slow())
    assert results[1] == "other"
    assert telemetry.tree() == below("request", *["invoke_workflow Slow"] * 3)
    marks = [attributes_of(span).get("dspy.straggler") for span in telemetry.named("invoke_workflow Slow")]
    assert marks == [None, None, True]


@pytest.mark.skipif(
    "timeout" not in inspect.signature(dspy.Parallel).parameters, reason="Parallel takes a time limit since DSPy 3.1"
)
def test_parallel_shows_a_straggler_as_a_second_marked_run(telemetry: Recorded) -> None:
    slow = Slow()
    parallel = dspy.Parallel(num_threads=3, timeout=0.000001, disable_progress_bar=True)
    assert parallel([(slow, {"number": 0}), (slow, {"number": 1})])[1] == "other"
    join_pool_threads()
    assert telemetry.tree() == below("Parallel", *["invoke_workflow Slow"] * 3)
    marks = [attributes_of(span).get("dspy.straggler") for span in telemetry.named("invoke_workflow Slow")]
    assert marks == [None, None, True]


def test_what_a_straggler_calls_is_not_marked(telemetry: Recorded) -> None:
    class Outer(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slow = Slow()

        def forward(self, number: int) -> str:
            return str(self.slow(number=number))

    run_with_a_straggler(Outer())
    outer = [attributes_of(span).get("dspy.straggler") for span in telemetry.named("invoke_workflow Outer")]
    assert outer == [None, None, True]
    assert {attributes_of(span).get("dspy.straggler") for span in telemetry.named("invoke_workflow Slow")} == {None}
