"""Replies of a model that makes agents use tools, for the script of a model server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_server import Reply, ToolCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from model_server import Request, Scripted

__all__ = ["calls", "in_turn", "step"]


def step(tool: str, **arguments: object) -> dict[str, object]:
    """The reply with which a ``ReAct`` agent chooses its next tool."""
    return {"next_thought": "On with it.", "next_tool_name": tool, "next_tool_args": arguments}


def calls(*tool_calls: ToolCall) -> Reply:
    """The reply of a model that calls functions in its provider's own way."""
    return Reply(tool_calls=tool_calls)


def in_turn(replies: Iterable[Scripted]) -> Callable[[Request], Scripted]:
    """A script that gives one reply after the other, and then the default ones."""
    remaining = iter(replies)
    return lambda request: next(remaining, None)
