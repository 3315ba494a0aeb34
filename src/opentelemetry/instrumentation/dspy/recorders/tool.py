"""Calls of ``dspy.Tool``, and of what a ``ToolCall`` executes: whatever an agent or a program has a function do."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from opentelemetry.context import set_value
from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY

from ..context import current_call, with_call
from ..openings import carry_on
from ..programs.agents import FUNCTION, is_control_tool
from ..programs.tool_calls import is_tool, tool_name, tool_to_execute
from ..reading import read
from ..spans import OpenInvocation, enter, open_invocation

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import ToolInvocation

    from ..calls import Call
    from ..context import ActiveCall
    from ..programs.agents import AgentRun
    from ..spans import EnteredContext
    from ..telemetry import Telemetry

__all__ = ["ToolCallRecorder", "ToolRecorder", "ToolRequestRecorder"]


class ToolRecorder:
    """Makes one span of each tool call, except where an agent calls the tool that it added itself to end its loop."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> ToolRecording | None:
        """Start the span of a call and make it the current one."""
        tool = call.instance
        if is_control_tool(tool):
            return None
        parent = current_call()
        recording = ToolRecording(self._telemetry, tool_name(tool), parent, parent.inside(call))
        identifier = _call_id(parent, call)
        carry_on(recording.describe, identifier, read(tool, "desc"), call.keyword_arguments)
        return recording


class ToolCallRecorder:
    """Makes one span of each tool call that a program executes, unless a ``dspy.Tool`` is called, which has its own."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> ToolRecording | PassedOn | None:
        """Start the span, or hand on the id that the model gave to the call."""
        requested = call.instance
        tool = tool_to_execute(requested.name, call.keyword_arguments["functions"])
        if tool is None:
            return None
        parent = current_call()
        active = parent.inside(call)
        identifier = getattr(requested, "id", None)
        if is_tool(tool) and isinstance(call.keyword_arguments["functions"], dict):
            active.tool_call_id = identifier
            return PassedOn(enter(with_call(active)))
        recording = ToolRecording(self._telemetry, tool_name(requested), parent, active)
        description = read(tool, "desc" if is_tool(tool) else "__doc__")
        carry_on(recording.describe, identifier, description, requested.args or {})
        return recording


class ToolRecording:
    """One tool call under way."""

    __slots__ = ("_active", "_content", "_opened")

    def __init__(self, telemetry: Telemetry, name: str, parent: ActiveCall, active: ActiveCall) -> None:
        self._content = telemetry.content
        self._active = active
        active.language_model_call = None
        context = with_call(active)
        if parent.language_model_call is not None:
            # What a tool does that a language model runs inside its own call are calls in their own right.
            context = set_value(CLIENT_INFERENCE_CONTEXT_KEY, None, context)
        agent = _agent_of(parent)
        agent_name = None if agent is None else agent.name
        self._opened: OpenInvocation[ToolInvocation] = open_invocation(
            telemetry.handler.tool(name, tool_type=FUNCTION, agent_name=agent_name, context=context)
        )
        if self._opened.is_recording:
            self._content = telemetry.content.of_span()

    def describe(self, identifier: str | None, description: Any, arguments: Any) -> None:
        """Take note of what is known of the call before it runs."""
        if not self._opened.is_recording:
            return
        invocation = self._opened.invocation
        if isinstance(identifier, str):
            invocation.tool_call_id = self._content.word(identifier, "tool")
        if isinstance(description, str) and description:
            invocation.tool_description = self._content.text(description, "tool")
        if self._content.captured:
            invocation.arguments = self._content.value(arguments, "tool")

    def finish(self, result: Any) -> None:
        """End the span of a call that returned."""
        self._active.remember(result)
        try:
            if self._content.captured and self._opened.is_recording and not inspect.isawaitable(result):
                self._opened.invocation.tool_result = self._content.make_room_for_answer().value(result, "tool")
        finally:
            self._opened.end(None)

    def fail(self, error: BaseException) -> None:
        """End the span of a call that an exception ended; the agent may well go on."""
        self._active.remember()
        self._opened.end(error)


class PassedOn:
    """One executed tool call under way whose span is that of the tool itself."""

    __slots__ = ("_entered",)

    def __init__(self, entered: EnteredContext) -> None:
        self._entered = entered

    def finish(self, result: Any) -> None:
        """Leave the context."""
        self._entered.end()

    def fail(self, error: BaseException) -> None:
        """Leave the context after an exception."""
        self._entered.end()


class ToolRequestRecorder:
    """Takes the model's tool calls from ``ReActV2``, just before that gives an id of its own to those without one."""

    def begin(self, call: Call) -> None:
        """Keep the calls for when the agent runs their tools."""
        agent = _agent_of(current_call())
        if agent is not None:
            agent.requests = [*call.arguments[0].tool_calls]


def _agent_of(active: ActiveCall) -> AgentRun | None:
    return None if active.module is None else active.module.nearest_agent


def _call_id(parent: ActiveCall, call: Call) -> str | None:
    """Return the id that the model gave to the call, where the agent or the program makes it on the model's behalf."""
    agent = _agent_of(parent)
    if agent is not None and parent.instance is agent.agent:
        return agent.take_call_id(call.instance.name, call.keyword_arguments)
    return parent.tool_call_id
