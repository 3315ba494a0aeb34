"""Threads that switch the instrumentation on and off at the same time leave nothing behind."""

from __future__ import annotations

import gc
import threading
from typing import Any

import dspy
import pytest

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

THREADS = 8

# Whoever comes second is told that he does nothing.
pytestmark = pytest.mark.complaints


def at_once(*actions: Any) -> None:
    """Run actions in threads that all start together."""
    barrier = threading.Barrier(len(actions))
    errors: list[BaseException] = []

    def run(action: Any) -> None:
        barrier.wait()
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def contents() -> dict[int, dict[str, int]]:
    """What every class of DSPy holds, by identity."""
    classes = [
        found
        for found in gc.get_objects()
        # By its own type: a dead proxy that is around somewhere raises when it is asked for its class.
        if issubclass(type(found), type) and str(vars(found).get("__module__")).startswith("dspy")
    ]
    return {id(found): {name: id(value) for name, value in vars(found).items()} for found in classes}


def changed(before: dict[int, dict[str, int]]) -> list[int]:
    after = contents()
    return [key for key, held in before.items() if key in after and after[key] != held]


def test_threads_that_instrument_at_once_are_undone_by_one_uninstrument() -> None:
    before = contents()
    for _ in range(5):
        at_once(*[DSPyInstrumentor().instrument] * THREADS)
        assert DSPyInstrumentor().is_instrumented_by_opentelemetry
        DSPyInstrumentor().uninstrument()
        assert changed(before) == []


def test_on_and_off_at_once_ends_clean() -> None:
    before = contents()
    for _ in range(5):
        at_once(*[DSPyInstrumentor().instrument, DSPyInstrumentor().uninstrument] * (THREADS // 2))
        if DSPyInstrumentor().is_instrumented_by_opentelemetry:
            DSPyInstrumentor().uninstrument()
        assert changed(before) == []


def test_classes_that_are_defined_meanwhile_are_restored_too() -> None:
    made: list[type] = []

    def define() -> None:
        for number in range(50):
            namespace = {"__call__": lambda self: "called", "forward": lambda self: "gone on"}
            made.append(type(f"Made{number}", (dspy.Module,), namespace))

    at_once(DSPyInstrumentor().instrument, define, define)
    DSPyInstrumentor().uninstrument()
    assert [found for found in made if any(map(patched_by_us, vars(found).values()))] == []


def patched_by_us(value: Any) -> bool:
    return type(value).__module__.startswith("opentelemetry.instrumentation.dspy")
