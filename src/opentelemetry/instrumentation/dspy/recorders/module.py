"""Calls of ``dspy.Module``: workflows of the application, agents, and DSPy's own modules."""

from __future__ import annotations

import time
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
from ..blocks import CONVERSATION_ID
from ..content.exchanges import input_message, output_message
from ..context import with_call
from ..language_models.lm_calls import LM_CALL
from ..openings import carry_on, note
from ..optimization.example_calls import EXAMPLE_CALLS
from ..programs.adapter_calls import ADAPTER_NAME
from ..programs.agents import ACTING_AGENT, AgentRun, record_description, record_tools
from ..programs.answers import answer_fields, names_beside_answer
from ..programs.attempts import Attempts
from ..programs.demos import listed_demos
from ..programs.inputs import named_inputs
from ..programs.known_modules import attributes_of_module
from ..programs.module_classes import ModuleKind, classify
from ..programs.predictions import NONE_BESIDE, remember_span, without_trace
from ..programs.program_signatures import signature_of
from ..programs.running_modules import MODULE, RunningModule, remember
from ..reading import read, read_past
from ..spans import OpenInvocation, enter, open_invocation, open_span
from ..usage import SCOPE, UsageScope
from ..usage_attributes import usage_attributes
from ..wrapping.calls import Recording
from ..wrapping.threads import STRAGGLER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

    from ..content import ContentKind
    from ..context import Call
    from ..programs.module_classes import ModuleClass
    from ..programs.signatures import SignatureDescription
    from ..spans import OpenSpan
    from ..telemetry import Telemetry

    OpenModule: TypeAlias = OpenSpan | OpenInvocation[WorkflowInvocation] | OpenInvocation[LocalAgentInvocation]

__all__ = ["ModuleRecorder"]


class ModuleRecorder:
    """Makes one span of each module call, with the roll-up of all language model calls below it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> ModuleRecording | None:
        """Start the span of a module call and make it the current one."""
        module = call.instance
        module_class = classify(type(module))
        if module_class.forward_works_later and call.attribute == "__call__":
            return None  # its forward is recorded, around its work
        signature = None if module_class.kind is ModuleKind.WORKFLOW else signature_of(module, module_class)
        around = call.kept
        given = call.arguments, call.keyword_arguments
        running = RunningModule(module, around.get(MODULE), module_class, call.keyword_arguments, given)
        if running.caller is None:
            examples = around.get(EXAMPLE_CALLS)
            if examples is not None:
                examples.modules.append(running)
        if module_class.makes_attempts:
            running.attempts = Attempts(read_past(module, "__dict__").get("module"))
        if module_class.kind is ModuleKind.AGENT:
            running.agent = AgentRun(module, _agent_name(module_class, signature))
        kept = {**around, MODULE: running, ADAPTER_NAME: None, LM_CALL: None}
        if running.agent is not None:
            kept[ACTING_AGENT] = running.agent
        call.kept = kept
        recording = ModuleRecording(self._telemetry, module_class, signature, call, running)
        call.teller = recording
        opened = self._open(call, recording, around.get(LM_CALL) is not None)
        recording.opened = opened
        running.span = opened.span
        if running.attempts is not None:
            note(call, running.attempts)
        if opened.is_recording:
            kept[SCOPE] = recording.scope = UsageScope.below(kept.get(SCOPE))
            carry_on(call, recording.describe)
        return recording

    def _open(self, call: Call, recording: ModuleRecording, is_inside_model: bool) -> OpenModule:
        if is_inside_model:
            # A program that a language model runs inside its own call is made of calls in their own right.
            enter(call, set_value(CLIENT_INFERENCE_CONTEXT_KEY, None))
        telemetry, module_class = self._telemetry, recording.module_class
        if module_class.kind is ModuleKind.BUILT_IN:
            signature = recording.signature
            name = module_class.name if signature is None else f"{module_class.name} {signature.label}"
            return open_span(call, telemetry.tracer, name)
        conversation_id, agent = CONVERSATION_ID.of(call), recording.running.agent
        if agent is not None:
            return open_invocation(
                call,
                telemetry.handler.invoke_local_agent(
                    agent_name=agent.name, context=with_call(call), conversation_id=conversation_id
                ),
            )
        if telemetry.plain is not None:
            return telemetry.plain.workflow(call, module_class.name)
        workflow = telemetry.handler.workflow(
            module_class.name, context=with_call(call), conversation_id=conversation_id
        )
        return open_invocation(call, workflow)


def _agent_name(module_class: ModuleClass, signature: SignatureDescription | None) -> str:
    if module_class.is_own and signature is not None and signature.name is not None:
        return signature.name
    return module_class.name


class ModuleRecording(Recording):
    """One module call under way."""

    __slots__ = (
        "_began",
        "_call",
        "_content",
        "_is_captured",
        "_telemetry",
        "module_class",
        "opened",
        "running",
        "scope",
        "signature",
    )

    opened: OpenModule
    scope: UsageScope | None

    def __init__(
        self,
        telemetry: Telemetry,
        module_class: ModuleClass,
        signature: SignatureDescription | None,
        call: Call,
        running: RunningModule,
    ) -> None:
        self._telemetry = telemetry
        self._content = telemetry.content
        self._is_captured = False
        self._call = call
        self._began = time.perf_counter()
        self.module_class = module_class
        self.signature = signature
        self.running = running
        self.scope = None

    def name_at_start(self, name: str) -> str:
        """Return the name of the span: a signature without a name is called by its place."""
        signature = self.signature
        if signature is None or signature.name is not None or self.module_class.kind is not ModuleKind.BUILT_IN:
            return name
        return self.running.name_by_place(self.module_class.name, signature)

    def attributes_at_start(self) -> Mapping[str, AttributeValue]:
        """Return what is known of the call before it runs."""
        attributes = attributes_of_module(self.running, self.module_class)
        if self.signature is not None:
            attributes.update(self.signature.attributes)
        return attributes

    def describe(self) -> None:
        """Take note of what is known of the call before it runs, beyond what its span started with."""
        opened, call, caller = self.opened, self._call, self.running.caller
        if self.module_class.is_predictor:
            own = read_past(call.instance, "__dict__")
            given = call.keyword_arguments
            if "demos" in given:
                demos = listed_demos(given["demos"])
            else:
                demos = listed_demos(own["demos"] if "demos" in own else read(call.instance, "demos"))
            if demos is not None:
                opened.attributes[semconv.DSPY_DEMOS_COUNT] = len(demos)
        if self._telemetry.plain is None:
            self._content = self._telemetry.content.of_span()
            self._is_captured = self._content.captured
        if isinstance(opened, OpenInvocation) and isinstance(opened.invocation, LocalAgentInvocation):
            record_description(opened.invocation, call.instance, self._content)
            record_tools(opened.invocation, call.instance, self._content)
        if STRAGGLER.of(call.caller):
            opened.attributes[semconv.DSPY_STRAGGLER] = True
        if caller is not None and caller.attempts is not None and call.caller is not None:
            attempts = caller.attempts_of(call.caller.instance, call.instance)
            if attempts is not None:
                attempts.begin(opened)
        if self._is_captured:
            self._record_content(named_inputs(call, self.module_class), "input")

    def finish(self, result: Any) -> None:
        """Record a call that returned."""
        running = self.running
        self._remember_span(result)
        if running.agent is not None or (running.caller is not None and running.caller.agent is not None):
            self._note_for_agents(result)
        if running.caller is not None:
            running.remember(result)
        else:
            remember(self._call, result)
            if EXAMPLE_CALLS.of(self._call) is not None:
                running.answer = result
        if self._is_captured:
            self._content.make_room_for_answer()
            self._record_content(result, "output")

    def fail(self, error: BaseException) -> None:
        """Record a call that an exception ended."""
        running, examples = self.running, self._call.kept.get(EXAMPLE_CALLS)
        if examples is not None:
            examples.note_error(running, error)
        if running.caller is None:
            remember(self._call)
        elif running.caller.agent is not None:
            running.caller.agent.note_error(running.instance, error)

    def end(self, error: BaseException | None) -> None:
        """Record what was used inside, what was tried, and how long it took."""
        attributes = self.opened.attributes
        if self.running.attempts is not None:
            attributes.update(self.running.attempts.told())
        if self.scope is not None:
            attributes.update(usage_attributes(self.scope))
        if self.module_class.kind is ModuleKind.BUILT_IN:
            self._record_duration(error)
        elif self.running.agent is not None:
            self._telemetry.metrics.record_agent(self.running.agent, self.opened.context)

    def _remember_span(self, result: Any) -> None:
        running = self.running
        response_id = running.response_id_of_result if running.answers == 1 else None
        beside = NONE_BESIDE
        if self._telemetry.plain is None and self._telemetry.content.captured and running.is_recorded:
            beside = names_beside_answer(running.instance, result)
        remember_span(result, self.opened.span.get_span_context(), response_id, beside)

    def _note_for_agents(self, result: Any) -> None:
        """Tell the agent that made the call what it returned, and an agent's span why the agent ended."""
        running = self.running
        if running.caller is not None and running.caller.agent is not None:
            running.caller.agent.note_result(running.instance, result)
        reason = running.agent.termination_reason(result) if running.agent is not None else None
        if reason is not None:
            self.opened.attributes[semconv.DSPY_AGENT_TERMINATION_REASON] = reason

    def _record_duration(self, error: BaseException | None) -> None:
        """Record it for DSPy's own modules; workflows and agents have the conventions' durations."""
        point = self.module_class.point(None if self.signature is None else self.signature.name)
        if error is not None:
            point = {**point, ERROR_TYPE: fq_exception_type(error)}
        self._telemetry.metrics.module_duration.record(time.perf_counter() - self._began, point, self.opened.context)

    def _record_content(self, value: Any, kind: ContentKind) -> None:
        if not isinstance(self.opened, OpenInvocation):
            if self._content.on_spans:
                name = semconv.DSPY_MODULE_INPUTS if kind == "input" else semconv.DSPY_MODULE_OUTPUTS
                self.opened.attributes[name] = self._text_of(value, kind)
            return
        if kind == "input":
            self.opened.invocation.input_messages = [input_message(self._content, value)]
            return
        answer = without_trace(value)
        self.opened.invocation.output_messages = [output_message(self._content, answer, answer_fields(answer))]

    def _text_of(self, value: Any, kind: ContentKind) -> str:
        content = self._content
        return content.named_json(value, kind) if kind == "input" else content.json(without_trace(value), kind)
