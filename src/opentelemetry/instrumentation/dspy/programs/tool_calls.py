"""``dspy.ToolCalls.ToolCall.execute``: which tool it runs, also where it looks for it among its caller's variables."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final

from ..reading import read, text_of_name
from ..slots import OwnSlot

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TOOL_CALL_ID", "is_tool", "tool_name", "tool_to_execute", "with_own_lookup"]


TOOL_CALL_ID: Final = OwnSlot[str]("tool call id")
"""Given by the model to the tool call that a call executes."""


def is_tool(value: Any) -> bool:
    """Return whether something is a ``dspy.Tool``."""
    return any(
        ancestor.__name__ == "Tool" and ancestor.__module__.startswith("dspy.") for ancestor in type(value).__mro__
    )


def tool_name(tool: Any) -> str:
    """Return the name of a tool, where it has none that is a text its function's, and else that of its class."""
    own = text_of_name(read(tool, "name"))
    return own or text_of_name(read(read(tool, "func"), "__name__")) or type(tool).__name__


def tool_to_execute(name: str, functions: Any) -> Any:
    """Return what runs under a name, a function or a tool, of a mapping or of a list; ``None`` if nothing does."""
    if isinstance(functions, dict):
        return functions.get(name)
    if isinstance(functions, list):
        return next((tool for tool in functions if tool.name == name), None)
    return None


def with_own_lookup(traced: Any) -> Callable[..., Any]:
    """Return a method ``execute`` that looks among its caller's variables itself, then runs the traced one.

    Without ``functions`` DSPy asks the frame of its caller, which would be one of ours.
    """

    @functools.wraps(traced)
    def execute(self: Any, functions: Any = None) -> Any:
        if functions is None:
            caller = sys._getframe(1)
            found = caller.f_locals.get(self.name) or caller.f_globals.get(self.name)
            functions = {} if found is None else {self.name: found}
        return traced.__get__(self, type(self))(functions=functions)

    return execute
