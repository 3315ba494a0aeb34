"""A small library to be patched, and a recorder that writes down what it is told."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.dspy.context import attach, detach, with_call
from opentelemetry.instrumentation.dspy.slots import Slot
from opentelemetry.instrumentation.dspy.wrapping.calls import Recording
from opentelemetry.instrumentation.dspy.wrapping.patching import Patcher
from opentelemetry.instrumentation.dspy.wrapping.places import Seam

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.instrumentation.dspy.context import Call

__all__ = ["Notebook", "Worker", "calling", "patched"]

MODULE = "a_library_to_be_patched"

DEPTH = Slot[int]("depth")
"""How many calls lie around a call."""


class Worker:
    """The class of the library whose calls are recorded."""

    def __init__(self, name: str = "worker") -> None:
        self.name = name

    def __call__(self, *values: Any, **options: Any) -> Any:
        return self.work(*values, **options)

    async def acall(self, *values: Any, **options: Any) -> Any:
        return await self.awork(*values, **options)

    def work(self, *values: Any, **options: Any) -> Any:
        return values[0] if values else None

    async def awork(self, *values: Any, **options: Any) -> Any:
        return values[0] if values else None


def calling(worker: Worker, *values: Any) -> Any:
    """A function of the library that calls a worker."""
    return worker(*values)


@dataclass(slots=True)
class Notebook:
    """A recorder: one line for each call that it was told of, the calls inside of others indented."""

    lines: list[str] = field(default_factory=list)

    def begin(self, call: Call) -> Note:
        """Write the call down and make it the current one."""
        depth = DEPTH.of(call) or 0
        DEPTH.put(call, depth + 1)
        owner = call.owner.__name__ if isinstance(call.owner, type) else "function"
        self.lines.append(f"{'  ' * depth}{owner}.{call.attribute}")
        return Note(self, len(self.lines) - 1, attach(with_call(call)))


@dataclass(slots=True)
class Note(Recording):
    """One line of a notebook."""

    notebook: Notebook
    line: int
    token: Any

    def finish(self, result: Any) -> None:
        """Add what the call returned."""
        self.notebook.lines[self.line] += f" = {result!r}"
        detach(self.token)

    def fail(self, error: BaseException) -> None:
        """Add what the call raised."""
        self.notebook.lines[self.line] += f" ! {error!r}"
        detach(self.token)


@contextmanager
def patched(
    recorder: Any, *attributes: str, owner: str | None = "Worker", worker_class: type = Worker
) -> Iterator[Patcher]:
    """Patch the library, by default the calls of ``Worker`` and its subclasses, as long as the block runs."""
    module = ModuleType(MODULE)
    vars(module).update(Worker=worker_class, calling=calling)
    sys.modules[MODULE] = module
    patcher = Patcher()
    seams = [
        Seam(MODULE, owner, attribute, recorder, subclasses=owner is not None)
        for attribute in attributes or ("__call__", "acall")
    ]
    patcher.apply(seams)
    try:
        yield patcher
    finally:
        patcher.remove()
        del sys.modules[MODULE]
