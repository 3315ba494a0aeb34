"""Tools of MCP servers: the trace context goes along with their calls, so that the server's spans belong to the trace.

The GenAI conventions put it into ``params._meta`` of the JSON-RPC request.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from opentelemetry.propagate import inject

from ..wrapping.calls import keyword_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..context import Call

__all__ = ["MCPCallRecorder", "MCPSessionFinder"]


class MCPSessionFinder:
    """Shows the classes of the sessions with which tools are made of those of MCP servers."""

    def __init__(self, show: Callable[[type], None]) -> None:
        self._show = show

    def begin(self, call: Call) -> None:
        """Show the class whose ``call_tool`` takes ``meta``; that of MCP 1.18 and before does not."""
        session = keyword_view(("session",), call).get("session")
        for ancestor in type(session).__mro__:
            if _takes_meta(vars(ancestor).get("call_tool")):
                self._show(ancestor)
                return


class MCPCallRecorder:
    """Gives the trace context to the requests of tools; the request itself has no span here."""

    def begin(self, call: Call) -> None:
        """Add to ``meta``, in place, what it does not hold already."""
        if call.caller is None or call.caller.instance is None:
            return
        carrier: dict[str, Any] = {}
        inject(carrier)
        if carrier:
            carrier.update(call.keyword_arguments.get("meta") or {})
            call.keyword_arguments["meta"] = carrier


def _takes_meta(function: Any) -> bool:
    return callable(function) and "meta" in inspect.signature(function).parameters
