"""A process that is forked while threads of its parent are at work finds every lock open, and complete sums."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from opentelemetry.instrumentation.dspy import Usage, UsageScope
from opentelemetry.instrumentation.dspy.locks import ForkSafeLock

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")


def status_of_child(work: Callable[[], bool]) -> int:
    """Return 0 if the work succeeds in a forked child; a child that hangs is killed by its alarm."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(10)
        os._exit(0 if work() else 1)
    return os.waitpid(child, 0)[1]


def test_a_child_can_count_while_a_thread_of_its_parent_counted() -> None:
    scope, stop = UsageScope(UsageScope()), threading.Event()

    def count() -> None:
        while not stop.is_set():
            scope.add(Usage(lm_calls=1, input_tokens=2), "m")

    threads = [threading.Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()

    def work() -> bool:
        before = scope.total()
        scope.add(Usage(lm_calls=1, input_tokens=2), "m")
        after = scope.total()
        whole = after.input_tokens == 2 * after.lm_calls == 2 * scope.by_model["m"].lm_calls
        return whole and after.lm_calls == before.lm_calls + 1

    try:
        assert [status_of_child(work) for _ in range(60)] == [0] * 60
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_lock_that_a_thread_of_the_parent_holds_is_open_in_the_child() -> None:
    lock, held, done = ForkSafeLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            done.wait()

    def work() -> bool:
        with lock:
            return True

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert status_of_child(work) == 0
    finally:
        done.set()
        thread.join()
    with lock, lock:
        pass
