"""Two ways to make many calls at the same time: threads, and the tasks of one event loop."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import dspy

__all__ = ["WAYS", "Way", "in_tasks", "in_threads"]

Way = "Callable[[dspy.Predict, range, int], None]"


def in_threads(program: dspy.Predict, numbers: range, threads: int) -> None:
    """Ask for each number in one of the threads, all of which are in the context of the caller."""

    def ask(shares: Iterable[int]) -> None:
        for number in shares:
            program(question=f"number {number}")

    with ThreadPoolExecutor(threads) as pool:
        shares = [numbers[first::threads] for first in range(threads)]
        running = [pool.submit(contextvars.copy_context().run, ask, share) for share in shares]
        for each in running:
            each.result()


def in_tasks(program: dspy.Predict, numbers: range, tasks: int) -> None:
    """Ask for each number in one of the tasks of an event loop."""

    async def ask(shares: Iterable[int]) -> None:
        for number in shares:
            await program.acall(question=f"number {number}")

    async def all_at_once() -> None:
        await asyncio.gather(*(ask(numbers[first::tasks]) for first in range(tasks)))

    asyncio.run(all_at_once())


WAYS: dict[str, Any] = {"threads": in_threads, "tasks": in_tasks}
