"""Calls of ``dspy.Module``: workflows of the application, agents, and DSPy's own modules."""

from __future__ import annotations

import inspect
import time
from contextvars import Token
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_CONVERSATION_ID
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import set_span_in_context
from opentelemetry.util.genai.types import OutputMessage, TextPart

from .. import semconv
from ..context import ActiveCall, RunningModule, attach, current_call, detach, with_call
from ..messages import text_message
from ..predictions import remember_span
from ..signatures import SignatureDescription, describe, describe_answer
from ..telemetry import mark_failed, usage_attributes
from ..usage import UsageScope

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.genai.invocation import LocalAgentInvocation, WorkflowInvocation

    from ..content import ContentKind
    from ..patching import Call
    from ..telemetry import Telemetry

__all__ = ["ModuleRecorder"]

_AGENTS = frozenset({"ReAct", "ReActV2", "CodeAct", "RLM", "Avatar"})

_NOT_INPUTS = frozenset({"config", "demos", "lm", "new_signature", "signature"})
"""Keyword arguments that ``Predict._forward_preprocess`` takes for itself; ``config`` may hold a key."""


class ModuleKind(Enum):
    """What a module is to somebody who reads a trace."""

    WORKFLOW = "workflow"
    AGENT = "agent"
    BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class ModuleClass:
    """What is the same for all calls of one class."""

    name: str
    kind: ModuleKind
    is_own: bool
    """Whether DSPy defines the class itself, not the application."""
    is_predictor: bool
    hides_reasoning: bool
    """Whether its predictor has a ``reasoning`` output that the signature given by the user had not."""


_classes: WeakKeyDictionary[type, ModuleClass] = WeakKeyDictionary()


def classify(module_class: type) -> ModuleClass:
    """Return what a module class is, by DSPy's classes among its ancestors."""
    known = _classes.get(module_class)
    if known is None:
        known = _classify(module_class)
        _classes[module_class] = known
    return known


def _classify(module_class: type) -> ModuleClass:
    ancestors = {
        ancestor.__name__ for ancestor in module_class.__mro__ if ancestor.__module__.partition(".")[0] == "dspy"
    } - {"Module", "BaseModule", "Parameter"}
    if ancestors & _AGENTS:
        kind = ModuleKind.AGENT
    else:
        kind = ModuleKind.BUILT_IN if ancestors else ModuleKind.WORKFLOW
    return ModuleClass(
        name=module_class.__name__,
        kind=kind,
        is_own=module_class.__module__.partition(".")[0] == "dspy",
        is_predictor="Predict" in ancestors,
        hides_reasoning="ChainOfThought" in ancestors,
    )


def _signature_of(module: Any, module_class: ModuleClass) -> SignatureDescription | None:
    """Return the signature that a built-in module or agent was made with."""
    if module_class.kind is ModuleKind.WORKFLOW:
        return None
    attributes = vars(module)
    signature = attributes.get("signature")
    if signature is None:
        signature = getattr(attributes.get("predict"), "signature", None)
    if not hasattr(signature, "input_fields"):
        return None
    return describe_answer(signature) if module_class.hides_reasoning else describe(signature)


class ModuleRecorder:
    """Makes one span of each module call, with the roll-up of all language model calls below it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> ModuleRecording:
        """Start the span of a module call and make it the current one."""
        parent = current_call()
        module = call.instance
        module_class = classify(type(module))
        active = parent.child(module, call.owner, call.attribute)
        active.module = RunningModule(module, parent.module, call.keyword_arguments)
        active.adapter_name = None
        signature = _signature_of(module, module_class)
        started = self._start(module_class, signature, active, with_call(active))
        recording = ModuleRecording(self._telemetry, module_class, signature, active, started)
        if started.span.is_recording():
            active.scope = UsageScope(parent.scope)
            recording.describe(call)
        return recording

    def _start(
        self, module_class: ModuleClass, signature: SignatureDescription | None, active: ActiveCall, context: Context
    ) -> _Started:
        handler = self._telemetry.handler
        if module_class.kind is ModuleKind.BUILT_IN:
            name = f"{module_class.name} {signature.label}" if signature else module_class.name
            span = self._telemetry.tracer.start_span(name, context)
            return _Started(span, None, attach(set_span_in_context(span, context)))
        invocation: WorkflowInvocation | LocalAgentInvocation
        if module_class.kind is ModuleKind.AGENT:
            invocation = handler.invoke_local_agent(
                agent_name=_agent_name(module_class, signature),
                context=context,
                conversation_id=active.conversation_id,
            )
        else:
            invocation = handler.workflow(module_class.name, context=context, conversation_id=active.conversation_id)
        # Attached here and not by the invocation: see ``context.detach``.
        invocation.suspend()
        return _Started(invocation.span, invocation, attach(invocation.context))


def _agent_name(module_class: ModuleClass, signature: SignatureDescription | None) -> str:
    if module_class.is_own and signature is not None and signature.name is not None:
        return signature.name
    return module_class.name


@dataclass(frozen=True, slots=True)
class _Started:
    """An open span, the invocation that owns it if it is one of the conventions', and how to leave its context."""

    span: Span
    invocation: WorkflowInvocation | LocalAgentInvocation | None
    token: Token[Context]


class ModuleRecording:
    """One module call under way."""

    __slots__ = ("_active", "_began", "_module_class", "_signature", "_started", "_telemetry")

    def __init__(
        self,
        telemetry: Telemetry,
        module_class: ModuleClass,
        signature: SignatureDescription | None,
        active: ActiveCall,
        started: _Started,
    ) -> None:
        self._telemetry = telemetry
        self._module_class = module_class
        self._signature = signature
        self._active = active
        self._started = started
        self._began = time.perf_counter()

    def describe(self, call: Call) -> None:
        """Set what is known of the call before it runs."""
        attributes: dict[str, Any] = {semconv.DSPY_MODULE_NAME: self._module_class.name}
        if self._active.module is not None and self._active.module.path:
            attributes[semconv.DSPY_MODULE_PATH] = self._active.module.path
        if self._signature is not None:
            attributes[semconv.DSPY_SIGNATURE_FIELDS] = self._signature.fields
            if self._signature.name is not None:
                attributes[semconv.DSPY_SIGNATURE_NAME] = self._signature.name
        if self._module_class.is_predictor:
            demos = call.keyword_arguments.get("demos", call.instance.demos)
            attributes[semconv.DSPY_DEMOS_COUNT] = len(demos or ())
        if self._active.conversation_id is not None:
            attributes[GEN_AI_CONVERSATION_ID] = self._active.conversation_id
        attributes.update(self._active.attributes)
        self._started.span.set_attributes(attributes)
        if self._telemetry.content.captured:
            self._record_content(_inputs(call, self._module_class), "input")

    def finish(self, result: Any) -> None:
        """End the span of a call that returned."""
        span = self._started.span
        remember_span(result, span.get_span_context())
        if span.is_recording() and self._telemetry.content.captured:
            self._record_content(result, "output")
        self._end(None)

    def fail(self, error: BaseException) -> None:
        """End the span of a call that an exception ended."""
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        started = self._started
        if started.span.is_recording() and self._active.scope is not None:
            started.span.set_attributes(usage_attributes(self._active.scope))
        error_type = mark_failed(started.span, error) if error is not None else None
        self._record_duration(error_type)
        try:
            if started.invocation is None:
                started.span.end()
            elif error is None:
                started.invocation.stop()
            else:
                started.invocation.fail(error)
        finally:
            detach(started.token)

    def _record_duration(self, error_type: str | None) -> None:
        attributes = {semconv.DSPY_MODULE_NAME: self._module_class.name}
        if self._signature is not None and self._signature.name is not None:
            attributes[semconv.DSPY_SIGNATURE_NAME] = self._signature.name
        if error_type is not None:
            attributes[ERROR_TYPE] = error_type
        self._telemetry.metrics.module_duration.record(time.perf_counter() - self._began, attributes)

    def _record_content(self, value: Any, kind: ContentKind) -> None:
        text = self._telemetry.content.json(value, kind)
        invocation = self._started.invocation
        if invocation is None:
            name = semconv.DSPY_MODULE_INPUTS if kind == "input" else semconv.DSPY_MODULE_OUTPUTS
            self._started.span.set_attribute(name, text)
        elif kind == "input":
            invocation.input_messages = [text_message("user", text)]
        else:
            invocation.output_messages = [OutputMessage(role="assistant", parts=[TextPart(content=text)])]


def _inputs(call: Call, module_class: ModuleClass) -> dict[str, Any]:
    """Return the arguments of a module call by name."""
    named: dict[str, Any] = {}
    if call.arguments:
        # On the class: reading it on the instance warns (``Module.__getattribute__``).
        forward = getattr(type(call.instance), "forward", None) or getattr(type(call.instance), "aforward", None)
        parameters = [*inspect.signature(forward).parameters][1:] if forward else []
        for index, value in enumerate(call.arguments):
            named[parameters[index] if index < len(parameters) else str(index)] = value
    named.update(call.keyword_arguments)
    if module_class.kind is ModuleKind.WORKFLOW:
        return named
    return {name: value for name, value in named.items() if name not in _NOT_INPUTS}
