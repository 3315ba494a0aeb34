"""Calls of ``dspy.Module``: workflows of the application, agents, and DSPy's own modules."""

from __future__ import annotations

import inspect
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.context import set_value
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.util.genai.invocation import (
    CLIENT_INFERENCE_CONTEXT_KEY,
    LocalAgentInvocation,
    WorkflowInvocation,
)
from opentelemetry.util.genai.utils import fq_exception_type

from .. import semconv
from ..content.exchanges import input_message, output_message
from ..context import ActiveCall, current_call, with_call
from ..openings import carry_on, note
from ..programs.agents import AgentRun, record_tools
from ..programs.answers import answer_fields, names_beside_answer
from ..programs.attempts import Attempts
from ..programs.demos import listed_demos
from ..programs.known_modules import attributes_of_module
from ..programs.module_classes import ModuleClass, ModuleKind, classify
from ..programs.predictions import remember_span, without_trace
from ..programs.program_signatures import signature_of
from ..programs.running_modules import RunningModule
from ..reading import read
from ..spans import OpenInvocation, OpenSpan, open_invocation, open_span
from ..telemetry import usage_attributes
from ..usage import UsageScope

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from ..content import ContentKind
    from ..patching import Call
    from ..programs.signatures import SignatureDescription
    from ..telemetry import Telemetry

OpenModule: TypeAlias = OpenSpan | OpenInvocation[WorkflowInvocation] | OpenInvocation[LocalAgentInvocation]

__all__ = ["ModuleRecorder"]

_NOT_INPUTS = frozenset({"config", "demos", "lm", "new_signature", "signature"})
"""Keyword arguments that ``Predict._forward_preprocess`` takes for itself; ``config`` may hold a key."""


class ModuleRecorder:
    """Makes one span of each module call, with the roll-up of all language model calls below it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> ModuleRecording | None:
        """Start the span of a module call and make it the current one."""
        parent = current_call()
        module = call.instance
        module_class = classify(type(module))
        if module_class.forward_is_awaited and call.attribute == "__call__":
            return None  # its forward is recorded, around its work
        signature = None if module_class.kind is ModuleKind.WORKFLOW else signature_of(module, module_class)
        active = parent.inside(call)
        active.module = RunningModule(module, parent.module, call.keyword_arguments, given=active.given)
        if parent.module is None and active.example_calls is not None:
            active.example_calls.modules.append(active.module)
        if module_class.makes_attempts:
            active.module.attempts = Attempts(vars(module).get("module"))
        if module_class.kind is ModuleKind.AGENT:
            active.module.agent = AgentRun(module, _agent_name(module_class, signature))
        active.known = partial(attributes_of_module, active.module)
        active.adapter_name = None
        active.language_model_call = None
        context = with_call(active)
        if parent.language_model_call is not None:
            # A program that a language model runs inside its own call is made of calls in their own right.
            context = set_value(CLIENT_INFERENCE_CONTEXT_KEY, None, context)
        opened = self._open(module_class, signature, active, context)
        if active.module.attempts is not None:
            note(active.module.attempts)
        active.module.span = opened.span
        recording = ModuleRecording(self._telemetry, module_class, signature, active, opened)
        if opened.is_recording:
            active.scope = UsageScope(parent.scope)
            carry_on(recording.describe, call)
            recording.place(parent)
        return recording

    def _open(
        self, module_class: ModuleClass, signature: SignatureDescription | None, active: ActiveCall, context: Context
    ) -> OpenModule:
        handler = self._telemetry.handler
        if module_class.kind is ModuleKind.BUILT_IN:
            name = module_class.name
            if signature is not None:
                if signature.name is None and active.module is not None:
                    active.span_name = partial(active.module.name_by_place, name, signature)
                name = f"{name} {signature.label}"
            return open_span(self._telemetry.tracer, name, context)
        if module_class.kind is ModuleKind.AGENT:
            agent_name = _agent_name(module_class, signature)
            return open_invocation(
                handler.invoke_local_agent(
                    agent_name=agent_name, context=context, conversation_id=active.conversation_id
                )
            )
        return open_invocation(
            handler.workflow(module_class.name, context=context, conversation_id=active.conversation_id)
        )


def _agent_name(module_class: ModuleClass, signature: SignatureDescription | None) -> str:
    if module_class.is_own and signature is not None and signature.name is not None:
        return signature.name
    return module_class.name


class ModuleRecording:
    """One module call under way."""

    __slots__ = ("_active", "_began", "_content", "_module_class", "_opened", "_signature", "_telemetry")

    def __init__(
        self,
        telemetry: Telemetry,
        module_class: ModuleClass,
        signature: SignatureDescription | None,
        active: ActiveCall,
        opened: OpenModule,
    ) -> None:
        self._telemetry = telemetry
        self._content = telemetry.content
        self._module_class = module_class
        self._signature = signature
        self._active = active
        self._opened = opened
        self._began = time.perf_counter()

    def describe(self, call: Call) -> None:
        """Take note of what is known of the call before it runs, beyond what its span started with."""
        self._content = self._telemetry.content.of_span()
        attributes = self._opened.attributes
        if self._signature is not None:
            attributes[semconv.DSPY_SIGNATURE_FIELDS] = self._signature.fields
            if self._signature.name is not None:
                attributes[semconv.DSPY_SIGNATURE_NAME] = self._signature.name
        if self._module_class.is_predictor:
            demos = listed_demos(call.keyword_arguments.get("demos", read(call.instance, "demos")))
            if demos is not None:
                attributes[semconv.DSPY_DEMOS_COUNT] = len(demos)
        if isinstance(self._opened, OpenInvocation) and isinstance(self._opened.invocation, LocalAgentInvocation):
            record_tools(self._opened.invocation, call.instance, self._content)
        if self._content.captured:
            self._record_content(_inputs(call, self._module_class), "input")

    def place(self, parent: ActiveCall) -> None:
        """Take note of what the call is to the one around it: one of its attempts, the second run of an item."""
        if parent.straggler:
            self._opened.attributes[semconv.DSPY_STRAGGLER] = True
        caller = parent.module
        attempts = None if caller is None else caller.attempts_of(parent.instance, self._active.instance)
        if attempts is not None:
            attempts.begin(self._opened)

    def finish(self, result: Any) -> None:
        """End the span of a call that returned."""
        try:
            module = self._active.module
            response_id = None if module is None or module.answers != 1 else module.response_id_of_result
            is_told = module is not None and self._telemetry.content.captured and module.is_recorded
            beside = names_beside_answer(self._active.instance, result) if is_told else frozenset()
            remember_span(result, self._opened.span.get_span_context(), response_id, beside)
            self._note_for_agents(result)
            if module is not None and module.caller is not None:
                module.remember(result)
            elif module is not None:
                self._active.remember(result)
                if self._active.example_calls is not None:
                    module.answer = result
            if self._opened.is_recording and self._content.captured:
                self._content.make_room_for_answer()
                self._record_content(result, "output")
        finally:
            self._end(None)

    def fail(self, error: BaseException) -> None:
        """End the span of a call that an exception ended."""
        try:
            module, calls = self._active.module, self._active.example_calls
            if module is not None and calls is not None:
                calls.note_error(module, error)
            if module is not None and module.caller is None:
                self._active.remember()
            if module is not None and module.caller is not None and module.caller.agent is not None:
                module.caller.agent.note_error(module.instance, error)
        finally:
            self._end(error)

    def _note_for_agents(self, result: Any) -> None:
        """Tell the agent that made the call what it returned, and an agent's span why the agent ended."""
        module = self._active.module
        if module is None:
            return
        if module.caller is not None and module.caller.agent is not None:
            module.caller.agent.note_result(module.instance, result)
        reason = module.agent.termination_reason(result) if module.agent is not None else None
        if reason is not None:
            self._opened.attributes[semconv.DSPY_AGENT_TERMINATION_REASON] = reason

    def _end(self, error: BaseException | None) -> None:
        try:
            module = self._active.module
            if module is not None and module.attempts is not None:
                self._opened.attributes.update(module.attempts.end())
            if self._opened.is_recording and self._active.scope is not None:
                self._opened.attributes.update(usage_attributes(self._active.scope))
            self._record_duration(None if error is None else fq_exception_type(error))
        finally:
            self._opened.end(error)

    def _record_duration(self, error_type: str | None) -> None:
        attributes = {semconv.DSPY_MODULE_NAME: self._module_class.name}
        if self._signature is not None and self._signature.name is not None:
            attributes[semconv.DSPY_SIGNATURE_NAME] = self._signature.name
        if error_type is not None:
            attributes[ERROR_TYPE] = error_type
        self._telemetry.metrics.module_duration.record(time.perf_counter() - self._began, attributes)

    def _record_content(self, value: Any, kind: ContentKind) -> None:
        if isinstance(self._opened, OpenSpan):
            if self._content.on_spans:
                name = semconv.DSPY_MODULE_INPUTS if kind == "input" else semconv.DSPY_MODULE_OUTPUTS
                self._opened.attributes[name] = self._text_of(value, kind)
            return
        if kind == "input":
            self._opened.invocation.input_messages = [input_message(self._content, value)]
            return
        answer = without_trace(value)
        self._opened.invocation.output_messages = [output_message(self._content, answer, answer_fields(answer))]

    def _text_of(self, value: Any, kind: ContentKind) -> str:
        content = self._content
        return content.named_json(value, kind) if kind == "input" else content.json(without_trace(value), kind)


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
