"""Processes that are started afresh while DSPy is instrumented in code: nothing of that reaches them.

``multiprocessing`` imports the file that spawns a process when it spawns the first one, and so does loky, which joblib
uses: to hear of the import is to hear of the process, and nothing of the program's is changed for it.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook

from .lines import tell
from .started_by import children_are_instrumented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType

__all__ = ["is_run_by_import", "watch_for_processes"]

_STARTERS = (
    "multiprocessing.popen_spawn_posix",
    "multiprocessing.popen_spawn_win32",
    "multiprocessing.popen_forkserver",
    *(
        f"{package}.backend.popen_loky_{system}"
        for package in ("loky", "joblib.externals.loky")
        for system in ("posix", "win32")
    ),
)

_INSTRUMENTOR = "DSPyInstrumentor"

_DEPTH = 3
"""How many functions deep a worker's function is looked into for one that instruments DSPy."""


def watch_for_processes(is_at_work: Callable[[], bool]) -> None:
    """Tell of the first process that is started afresh, if DSPy is instrumented by then and not in that process."""
    for starter in _STARTERS:
        # What is imported by now has started processes before; whether it starts others cannot be heard.
        if starter not in _watched and starter not in sys.modules:
            _watched.add(starter)
            register_post_import_hook(lambda _module: _tell_of_process(is_at_work), starter)


_watched: set[str] = set()


def _tell_of_process(is_at_work: Callable[[], bool]) -> None:
    with contextlib.suppress(Exception):
        process = _starting_process()
        if not is_at_work() or children_are_instrumented() or _instruments_itself(process):
            return
        tell(
            "process started afresh",
            "this program starts processes afresh (spawn, forkserver or loky), and they do not inherit the "
            "instrumentation that it made in code: DSPy calls in them are not recorded. Set the tracer provider and "
            "call DSPyInstrumentor().instrument() in them too, as the initializer of a pool or first in their "
            "function, or start the program with opentelemetry-instrument.",
        )


def _starting_process() -> Any:
    """Return the object of the process that is being started: the import stands in the method that starts it."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "_Popen":
            return frame.f_locals.get("process_obj")
        frame = frame.f_back
    return None


def _instruments_itself(process: Any) -> bool:
    """Return whether a process runs a function that names the instrumentor, or is no process for the program's work."""
    target = getattr(process, "_target", None)
    if getattr(target, "__module__", "").startswith("multiprocessing.managers"):
        return True
    given = [*getattr(process, "_args", ()), *getattr(process, "_kwargs", {}).values()]
    given += [part for parts in given if isinstance(parts, (tuple, list)) for part in parts]
    return any(_names_instrumentor(function, _DEPTH) for function in [target, type(process).run, *given])


def _names_instrumentor(function: Any, depth: int) -> bool:
    function = inspect.unwrap(getattr(function, "func", function)) if callable(function) else function
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    names = {*_names_in(code)}
    if _INSTRUMENTOR in names:
        return True
    around = getattr(function, "__globals__", {})
    return depth > 0 and any(_names_instrumentor(around.get(name), depth - 1) for name in names)


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from _names_in(constant)


def is_run_by_import(frame: FrameType | None) -> bool:
    """Return whether what a frame does is done again by a process that is started afresh.

    Such a process imports the program's main file under another name: all that is done on its top level is done again,
    unless it stands below ``if __name__ == "__main__":``.
    """
    with contextlib.suppress(Exception):
        while frame is not None:
            if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
                with open(frame.f_code.co_filename, encoding="utf-8") as source:
                    tree = ast.parse(source.read())
                return not any(_is_guard(node, frame.f_lineno) for node in tree.body)
            frame = frame.f_back
    return False


def _is_guard(node: ast.stmt, line: int) -> bool:
    return (
        isinstance(node, ast.If)
        and "__main__" in ast.unparse(node.test)
        and node.lineno <= line <= (node.end_lineno or node.lineno)
    )
