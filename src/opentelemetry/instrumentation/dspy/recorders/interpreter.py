"""Code interpreters: what they execute, how long they take to start, and classes of them that DSPy does not know."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from .. import semconv
from ..context import with_call
from ..openings import carry_on
from ..programs.agents import ACTING_AGENT
from ..programs.running_modules import MODULE, remember
from ..reading import read_past
from ..spans import OpenInvocation, enter, open_invocation
from ..weak import WeakIdentityMap
from ..wrapping.calls import Recording, keyword_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span
    from opentelemetry.util.genai.invocation import ToolInvocation

    from ..content import Content
    from ..context import Call
    from ..telemetry import Telemetry

__all__ = ["InterpreterFinder", "InterpreterRecorder", "SetupRecorder", "StartRecorder"]

TOOL_TYPE = "extension"
"""``gen_ai.tool.type`` of a tool that the agent itself runs, in an environment that it controls."""

_PARAMETERS = ("code", "variables")

_PROCESSES = ("deno_process", "_process")
"""Where DSPy's interpreters keep the process that they started."""


class InterpreterRecorder:
    """Makes one span of each execution of code."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> InterpreterRecording:
        """Start the span and make it the current one: what the code calls in the program belongs to it."""
        module = MODULE.of(call)
        agent = module.nearest_agent if module is not None else None
        acting = ACTING_AGENT.of(call)
        if acting is not None:
            acting.count_tool()
        opened = open_invocation(
            call,
            self._telemetry.handler.tool(
                interpreter_name(type(call.instance).__name__),
                tool_type=TOOL_TYPE,
                agent_name=None if agent is None else agent.name,
                context=with_call(call),
            ),
        )
        content = self._telemetry.content.of_span() if opened.is_recording else self._telemetry.content
        recording = InterpreterRecording(content, opened, call)
        if opened.is_recording and content.captured:
            carry_on(call, recording.describe)
        return recording


class InterpreterRecording(Recording):
    """One execution under way."""

    __slots__ = ("_call", "_content", "_opened")

    def __init__(self, content: Content, opened: OpenInvocation[ToolInvocation], call: Call) -> None:
        self._content = content
        self._opened = opened
        self._call = call

    def describe(self) -> None:
        """Set the code, and the variables that it is given."""
        given = keyword_view(_PARAMETERS, self._call)
        arguments = {name: given[name] for name in _PARAMETERS if given.get(name) is not None}
        self._opened.invocation.arguments = self._content.named_values(arguments, "tool")

    def finish(self, result: Any) -> None:
        """Record code that ran; what it submits at its end is what it returns."""
        remember(self._call, result)
        if self._opened.is_recording and self._content.captured:
            # DSPy's own class; one of the application's may have the name and nothing else in common with it.
            output = getattr(result, "output", result) if type(result).__name__ == "FinalOutput" else result
            self._opened.invocation.tool_result = self._content.make_room_for_answer().value(output, "tool")

    def fail(self, error: BaseException) -> None:
        """Record code that failed, or an interpreter that did."""
        remember(self._call)


class SetupRecorder:
    """Keeps the code that DSPy itself executes in a new interpreter from looking like the model's."""

    def begin(self, call: Call) -> Recording:
        """Take the executions inside for parts of this call, which is one on the interpreter."""
        caller = call.caller or call
        enter(call, with_call(caller.part(call.arguments[0], call.owner, call.attribute)))
        return Recording()


class StartRecorder:
    """Adds an event to the span of the execution, or of the module, for which an interpreter starts its process."""

    def __init__(self) -> None:
        self._started: WeakIdentityMap[int] = WeakIdentityMap()

    def begin(self, call: Call) -> StartRecording:
        """Take the time."""
        return StartRecording(self._started, call.instance, _span_for(call))


class StartRecording(Recording):
    """One start under way, if there is anything to start."""

    __slots__ = ("_began", "_interpreter", "_span", "_started")

    def __init__(self, started: WeakIdentityMap[int], interpreter: Any, span: Span | None) -> None:
        self._started = started
        self._interpreter = interpreter
        self._span = span
        self._began = time.perf_counter()

    def finish(self, result: Any) -> None:
        """Add the event once for each process; an interpreter that is asked to start again has none to tell of."""
        process = _process_of(self._interpreter)
        if self._started.get(self._interpreter) == process:
            return
        self._started.set(self._interpreter, process)
        if self._span is not None and self._span.is_recording():
            duration = time.perf_counter() - self._began
            self._span.add_event(
                semconv.EVENT_DSPY_INTERPRETER_START, {semconv.DSPY_INTERPRETER_STARTUP_DURATION: duration}
            )


class InterpreterFinder:
    """Looks for interpreters where DSPy's modules get them: any object with the right methods is one."""

    def __init__(self, found: Callable[[type], None]) -> None:
        self._found = found
        """Called with the class of each interpreter, many times with the same one."""

    def begin(self, call: Call) -> InterpreterFinding:
        """Look at what the callable is given."""
        own = {} if call.instance is None else read_past(call.instance, "__dict__")
        self.look_at(*call.arguments, own.get("interpreter"))
        return InterpreterFinding(self)

    def look_at(self, *values: Any) -> None:
        """Tell of the classes of those values that are interpreters."""
        for value in values:
            if all(callable(getattr(type(value), name, None)) for name in ("execute", "shutdown")):
                self._found(type(value))


class InterpreterFinding(Recording):
    """One search under way."""

    __slots__ = ("_finder",)

    def __init__(self, finder: InterpreterFinder) -> None:
        self._finder = finder

    def finish(self, result: Any) -> None:
        """Look at what the callable returned."""
        self._finder.look_at(result)


def interpreter_name(class_name: str) -> str:
    """Return the tool name of an interpreter: ``python_interpreter`` for ``PythonInterpreter``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", class_name).lower()


def _span_for(call: Call) -> Span | None:
    if call.caller is not None and call.caller.instance is call.instance:
        return get_current_span()
    module = MODULE.of(call)
    return module.span if module is not None else None


def _process_of(interpreter: Any) -> int:
    """Return the number of the interpreter's process, 0 where it does not say."""
    attributes = getattr(interpreter, "__dict__", {})
    process = next((attributes[name] for name in _PROCESSES if attributes.get(name) is not None), None)
    return getattr(process, "pid", 0)
