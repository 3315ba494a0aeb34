"""What one call of an agent does: the tools that it may use, the ones that the model asks for, and why it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_AGENT_NAME, GEN_AI_TOOL_DEFINITIONS
from opentelemetry.util.genai.types import FunctionToolDefinition, GenericToolDefinition
from opentelemetry.util.genai.utils import gen_ai_json_dumps

from ..encodable import encodable
from ..locks import ForkSafeLock
from ..reading import read, read_past, text_of_name
from ..slots import Slot
from .predictors import instructions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.util.genai.invocation import LocalAgentInvocation

    from ..content import Content

__all__ = ["ACTING_AGENT", "FUNCTION", "AgentRun", "is_control_tool", "record_tools", "tools_of"]

_CONTROL_TOOLS = frozenset({"finish", "submit"})

_AGENT_CODE = "dspy.predict."
"""The package of DSPy's agents: functions that they make themselves come from there."""

FUNCTION = "function"
"""``gen_ai.tool.type`` of a tool that runs in this process."""


def is_control_tool(tool: Any) -> bool:
    """Return whether an agent of DSPy added the tool itself, for the model to say that it is done.

    The application may have tools of the same names, so it is their function that tells.
    """
    if text_of_name(read(tool, "name")) not in _CONTROL_TOOLS:
        return False
    return (text_of_name(read(read(tool, "func"), "__module__")) or "").startswith(_AGENT_CODE)


def tools_of(agent: Any) -> list[Any]:
    """Return the tools that the application gave to an agent."""
    attributes = read_past(agent, "__dict__")
    tools = attributes.get("tools")
    if tools is None:
        tools = attributes.get("_user_tools")
    values: Iterable[Any] = tools.values() if isinstance(tools, dict) else tools if isinstance(tools, list) else ()
    return [tool for tool in values if isinstance(read(tool, "name"), str) and not is_control_tool(tool)]


def record_description(invocation: LocalAgentInvocation, agent: Any, content: Content) -> None:
    """Set what an agent is told to do: the instructions of its signature are a part of its prompt, and so content."""
    if content.on_spans:
        instructions = instructions_of(agent)
        if instructions:
            invocation.agent_description = content.text(instructions, "system")


def record_tools(invocation: LocalAgentInvocation, agent: Any, content: Content) -> None:
    """Set the definitions of the tools of an agent: the names always, descriptions and parameters as content."""
    tools = tools_of(agent)
    if not tools:
        return
    if content.captured:
        invocation.tool_definitions = [_definition(content, tool) for tool in tools]
    if not content.on_spans:
        names = [GenericToolDefinition(name=encodable(tool.name), type=FUNCTION) for tool in tools]
        invocation.attributes[GEN_AI_TOOL_DEFINITIONS] = gen_ai_json_dumps(names)


def _definition(content: Content, tool: Any) -> FunctionToolDefinition:
    description, arguments = read(tool, "desc"), read(tool, "args")
    arguments = arguments if isinstance(arguments, dict) else {}
    required = [name for name, schema in arguments.items() if not (isinstance(schema, dict) and "default" in schema)]
    parameters = {"type": "object", "properties": arguments, "required": required}
    return FunctionToolDefinition(
        name=encodable(tool.name),
        description=content.text(description, "tool") if isinstance(description, str) else None,
        parameters=content.value(parameters, "tool"),
    )


_counting = ForkSafeLock()
"""For all agents: some run their tools and models in several threads."""


@dataclass(slots=True)
class AgentRun:
    """One call of an agent under way."""

    agent: Any
    name: str
    steps: int = 0
    """How often the model chose a next step."""
    latest_step: Any = None
    latest_error: type[BaseException] | None = None
    """What ended the latest attempt to choose one, if it failed."""
    extracted: bool = False
    """Whether the predictor that answers from what was collected so far has run."""
    requests: list[Any] = field(default_factory=list)
    """The tool calls of the latest step that have not run yet, with the ids that the model gave them."""
    inference_calls: int = 0
    """Language model calls that the agent itself made, failed ones and hits of DSPy's cache included."""
    tool_calls: int = 0
    """Tool calls that the agent itself made, failed ones and executions of code included."""

    @property
    def names(self) -> Mapping[str, str]:
        """What the conventions call it, for the spans inside."""
        return {GEN_AI_AGENT_NAME: self.name}

    def count_inference(self) -> None:
        """Count a language model call of the agent's own."""
        with _counting:
            self.inference_calls += 1

    def count_tool(self) -> None:
        """Count a tool call of the agent's own."""
        with _counting:
            self.tool_calls += 1

    def note_result(self, module: Any, result: Any) -> None:
        """Take note of what a module that the agent called has returned."""
        attributes = read_past(self.agent, "__dict__")
        if any(module is attributes.get(name) for name in _REASONS):
            self.steps += 1
            self.latest_step = result
            self.latest_error = None
        elif module is attributes.get("extract"):
            self.extracted = True

    def note_error(self, module: Any, error: BaseException) -> None:
        """Take note of the exception that ended a module that the agent called."""
        attributes = read_past(self.agent, "__dict__")
        if any(module is attributes.get(name) for name in _REASONS):
            self.latest_error = type(error)

    def take_call_id(self, tool: str, arguments: Mapping[str, Any]) -> str | None:
        """Return the id that the model gave to the call of a tool which the agent makes now.

        A step may ask for one tool several times, and the agent need not keep to the order. The arguments are handed
        on as the identical objects.
        """
        of_tool = [request for request in self.requests if request.name == tool]
        exact = [request for request in of_tool if _are_identical(request.args or {}, arguments)]
        for request in exact or of_tool:
            self.requests = [other for other in self.requests if other is not request]
            identifier = request.id
            return identifier if isinstance(identifier, str) else None
        return None

    def termination_reason(self, result: Any) -> str | None:
        """Return why the agent ended, in DSPy's words where it has some; ``None`` where nothing tells."""
        told = read(result, "termination_reason")
        if isinstance(told, str):
            return encodable(told)
        if self.latest_error is not None:
            ancestors = {ancestor.__name__ for ancestor in self.latest_error.__mro__}
            return "context_window_exceeded" if "ContextWindowExceededError" in ancestors else "parse_error"
        if self.steps == 0:
            return None
        attributes = read_past(self.agent, "__dict__")
        return next((reason(self, result) for name, reason in _REASONS.items() if name in attributes), None)


ACTING_AGENT: Final = Slot[AgentRun]("acting agent")
"""The agent whose own step a call is; ``None`` inside a tool, where calls are the tool's."""


def _are_identical(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return first.keys() == second.keys() and all(second[name] is value for name, value in first.items())


def _react_reason(run: AgentRun, result: Any) -> str:
    name = read(run.latest_step, "next_tool_name")
    return "finish" if isinstance(name, str) and name == "finish" else "max_iters"


def _code_act_reason(run: AgentRun, result: Any) -> str:
    """A step that says it is the last one ends the loop if its code could be read (``CodeAct.forward``)."""
    code = f"generated_code_{run.steps - 1}"
    has_code = code in (getattr(result, "trajectory", None) or {})
    return "finish" if has_code and getattr(run.latest_step, "finished", False) else "max_iters"


def _recursive_reason(run: AgentRun, result: Any) -> str:
    """``SUBMIT`` in the generated code ends the loop, else the answer is extracted (``RLM._extract_fallback``)."""
    return "max_iters" if run.extracted else "submit"


_REASONS: dict[str, Callable[[AgentRun, Any], str]] = {
    "react": _react_reason,
    "codeact": _code_act_reason,
    "generate_action": _recursive_reason,
}
"""For each attribute under which an agent keeps the predictor of the next step: why its loop ended."""
