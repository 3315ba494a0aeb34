"""Calls of ``dspy.Tool``, and of what a ``ToolCall`` executes: whatever an agent or a program has a function do."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from opentelemetry.context import set_value
from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY

from ..context import with_call
from ..language_models.lm_calls import LM_CALL
from ..openings import carry_on
from ..programs.agents import ACTING_AGENT, FUNCTION, is_control_tool
from ..programs.running_modules import MODULE, remember
from ..programs.tool_calls import TOOL_CALL_ID, is_tool, tool_name, tool_to_execute
from ..reading import read
from ..spans import OpenInvocation, enter, open_invocation
from ..wrapping.calls import Noter, Recording

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import ToolInvocation

    from ..context import Call
    from ..programs.agents import AgentRun
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
        recording = ToolRecording(self._telemetry, tool_name(tool), call)
        identifier = _call_id(call)
        carry_on(call, recording.describe, identifier, read(tool, "desc"), call.keyword_arguments)
        return recording


class ToolCallRecorder:
    """Makes one span of each tool call that a program executes, unless a ``dspy.Tool`` is called, which has its own."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> Recording | None:
        """Start the span, or hand on the id that the model gave to the call."""
        requested = call.instance
        tool = tool_to_execute(requested.name, call.keyword_arguments["functions"])
        if tool is None:
            return None
        identifier = getattr(requested, "id", None)
        if is_tool(tool) and isinstance(call.keyword_arguments["functions"], dict):
            TOOL_CALL_ID.put(call, identifier)
            enter(call, with_call(call))
            return Recording()
        recording = ToolRecording(self._telemetry, tool_name(requested), call)
        description = read(tool, "desc" if is_tool(tool) else "__doc__")
        carry_on(call, recording.describe, identifier, description, requested.args or {})
        return recording


class ToolRecording(Recording):
    """One tool call under way."""

    __slots__ = ("_call", "_content", "_opened")

    def __init__(self, telemetry: Telemetry, name: str, call: Call) -> None:
        self._content = telemetry.content
        self._call = call
        inside_model, agent = LM_CALL.of(call), _agent_of(call)
        LM_CALL.put(call, None)
        acting = ACTING_AGENT.of(call)
        if acting is not None:
            acting.count_tool()
            ACTING_AGENT.put(call, None)
        context = with_call(call)
        if inside_model is not None:
            # What a tool does that a language model runs inside its own call are calls in their own right.
            context = set_value(CLIENT_INFERENCE_CONTEXT_KEY, None, context)
        agent_name = None if agent is None else agent.name
        self._opened: OpenInvocation[ToolInvocation] = open_invocation(
            call, telemetry.handler.tool(name, tool_type=FUNCTION, agent_name=agent_name, context=context)
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
        """Record a call that returned."""
        remember(self._call, result)
        if self._content.captured and self._opened.is_recording and not inspect.isawaitable(result):
            self._opened.invocation.tool_result = self._content.make_room_for_answer().value(result, "tool")

    def fail(self, error: BaseException) -> None:
        """Record a call that an exception ended; the agent may well go on."""
        remember(self._call)


class ToolRequestRecorder(Noter):
    """Takes the model's tool calls from ``ReActV2``, just before that gives an id of its own to those without one."""

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Keep the calls for when the agent runs their tools."""
        agent = _agent_of(around)
        if agent is not None:
            agent.requests = [*arguments[0].tool_calls]


def _agent_of(call: Call) -> AgentRun | None:
    module = MODULE.of(call)
    return None if module is None else module.nearest_agent


def _call_id(call: Call) -> str | None:
    """Return the id that the model gave to the call, where the agent or the program makes it on the model's behalf."""
    agent = _agent_of(call)
    if agent is not None and call.caller is not None and call.caller.instance is agent.agent:
        return agent.take_call_id(call.instance.name, call.keyword_arguments)
    return TOOL_CALL_ID.of(call.caller)
