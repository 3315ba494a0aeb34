"""Code interpreters: what they execute, how long they take to start, and classes of them that DSPy does not know."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

from .. import semconv
from ..calls import keyword_view
from ..context import current_call, with_call
from ..openings import carry_on
from ..spans import OpenInvocation, enter, open_invocation
from ..weak import WeakIdentityMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span
    from opentelemetry.util.genai.invocation import ToolInvocation

    from ..calls import Call
    from ..content import Content
    from ..context import ActiveCall
    from ..spans import EnteredContext
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
        parent = current_call()
        active = parent.inside(call)
        agent = parent.module.nearest_agent if parent.module is not None else None
        opened = open_invocation(
            self._telemetry.handler.tool(
                interpreter_name(type(call.instance).__name__),
                tool_type=TOOL_TYPE,
                agent_name=None if agent is None else agent.name,
                context=with_call(active),
            )
        )
        content = self._telemetry.content.of_span() if opened.is_recording else self._telemetry.content
        recording = InterpreterRecording(content, opened, active)
        if opened.is_recording and content.captured:
            carry_on(recording.describe, call)
        return recording


class InterpreterRecording:
    """One execution under way."""

    __slots__ = ("_active", "_content", "_opened")

    def __init__(self, content: Content, opened: OpenInvocation[ToolInvocation], active: ActiveCall) -> None:
        self._content = content
        self._opened = opened
        self._active = active

    def describe(self, call: Call) -> None:
        """Set the code, and the variables that it is given."""
        given = keyword_view(_PARAMETERS, call)
        arguments = {name: given[name] for name in _PARAMETERS if given.get(name) is not None}
        self._opened.invocation.arguments = self._content.named_values(arguments, "tool")

    def finish(self, result: Any) -> None:
        """End the span of code that ran; what it submits at its end is what it returns."""
        self._active.remember(result)
        try:
            if self._opened.is_recording and self._content.captured:
                # DSPy's own class; one of the application's may have the name and nothing else in common with it.
                output = getattr(result, "output", result) if type(result).__name__ == "FinalOutput" else result
                self._opened.invocation.tool_result = self._content.make_room_for_answer().value(output, "tool")
        finally:
            self._opened.end(None)

    def fail(self, error: BaseException) -> None:
        """End the span of code that failed, or of an interpreter that did."""
        self._active.remember()
        self._opened.end(error)


class SetupRecorder:
    """Keeps the code that DSPy itself executes in a new interpreter from looking like the model's."""

    def begin(self, call: Call) -> SetupRecording:
        """Take the executions inside for parts of this call, which is one on the interpreter."""
        active = current_call().child(call.arguments[0], call.owner, call.attribute)
        return SetupRecording(enter(with_call(active)))


class SetupRecording:
    """One set-up under way."""

    __slots__ = ("_entered",)

    def __init__(self, entered: EnteredContext) -> None:
        self._entered = entered

    def finish(self, result: Any) -> None:
        """What is executed from now on is the model's."""
        self._entered.end()

    def fail(self, error: BaseException) -> None:
        """There is no interpreter to use."""
        self._entered.end()


class StartRecorder:
    """Adds an event to the span of the execution, or of the module, for which an interpreter starts its process."""

    def __init__(self) -> None:
        self._started: WeakIdentityMap[int] = WeakIdentityMap()

    def begin(self, call: Call) -> StartRecording:
        """Take the time."""
        return StartRecording(self._started, call.instance, _span_for(call.instance))


class StartRecording:
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

    def fail(self, error: BaseException) -> None:
        """It did not start; the span of the execution says so."""


class InterpreterFinder:
    """Looks for interpreters where DSPy's modules get them: any object with the right methods is one."""

    def __init__(self, found: Callable[[type], None]) -> None:
        self._found = found
        """Called with the class of each interpreter, many times with the same one."""

    def begin(self, call: Call) -> InterpreterFinding:
        """Look at what the callable is given."""
        self.look_at(*call.arguments, vars(call.instance).get("interpreter") if call.instance is not None else None)
        return InterpreterFinding(self)

    def look_at(self, *values: Any) -> None:
        """Tell of the classes of those values that are interpreters."""
        for value in values:
            if all(callable(getattr(type(value), name, None)) for name in ("execute", "shutdown")):
                self._found(type(value))


class InterpreterFinding:
    """One search under way."""

    __slots__ = ("_finder",)

    def __init__(self, finder: InterpreterFinder) -> None:
        self._finder = finder

    def finish(self, result: Any) -> None:
        """Look at what the callable returned."""
        self._finder.look_at(result)

    def fail(self, error: BaseException) -> None:
        """It returned nothing."""


def interpreter_name(class_name: str) -> str:
    """Return the tool name of an interpreter: ``python_interpreter`` for ``PythonInterpreter``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", class_name).lower()


def _span_for(interpreter: Any) -> Span | None:
    active = current_call()
    if active.instance is interpreter:
        return get_current_span()
    return active.module.span if active.module is not None else None


def _process_of(interpreter: Any) -> int:
    """Return the number of the interpreter's process, 0 where it does not say."""
    attributes = getattr(interpreter, "__dict__", {})
    process = next((attributes[name] for name in _PROCESSES if attributes.get(name) is not None), None)
    return getattr(process, "pid", 0)
