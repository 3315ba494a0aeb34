"""Language model calls: one inference span for each, with what it used and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv._incubating.attributes.openai_attributes import OPENAI_API_TYPE

from .. import semconv
from ..blocks import ATTRIBUTES, CONVERSATION_ID
from ..budgets.admissions import ADMISSION, open_admission
from ..budgets.enforcement import BOUNDS
from ..budgets.senders import admit_own_request
from ..budgets.stop import BudgetStop
from ..content.messages import input_messages, tool_definitions
from ..context import with_call
from ..convention_names import GEN_AI_PROMPT_VERSION
from ..labels.labels import NO_LABELS
from ..labels.origins import NOWHERE, origin_of
from ..language_models.call_parts import parts_of
from ..language_models.known_models import known_model
from ..language_models.lm_attributes import ENDED_BY_ERROR, outcome_attributes, usage_of
from ..language_models.lm_calls import LM_CALL, LMCall, is_of_dspy
from ..language_models.outcome_points import record_outcome
from ..language_models.outcomes import handed_on, outcome_of_parts
from ..language_models.pricing import settle_price
from ..language_models.providers import response_model, server_address
from ..language_models.published_usage import with_published
from ..language_models.requests import parameter_attributes, read_request
from ..language_models.streams import is_listened_to, time_stream
from ..openings import carry_on, note
from ..optimization.optimizer_runs import OPTIMIZER
from ..optimization.roles import add_by_role
from ..plain_operations import PlainInference
from ..programs.adapter_calls import ADAPTER_CALL, ADAPTER_NAME
from ..programs.agents import ACTING_AGENT
from ..programs.prompts import prompt_version
from ..programs.running_modules import MODULE, remember
from ..spans import open_invocation
from ..tracers import kept_by
from ..usage import SCOPE
from ..wrapping.calls import Recording
from .adapter import note_prompt
from .prompts import PromptTeller
from .replies import record_reply

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import InferenceInvocation

    from ..context import Call
    from ..language_models.known_models import KnownModel
    from ..language_models.outcomes import LMOutcome
    from ..language_models.requests import LMRequest
    from ..language_models.streams import StreamTiming
    from ..spans import OpenInvocation
    from ..telemetry import Telemetry

__all__ = ["LMRecorder"]


class LMRecorder:
    """Makes one inference span of each language model call, and adds its usage to the scopes around it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._prompts = PromptTeller(telemetry)

    def begin(self, call: Call) -> LMRecording:
        """Start the span of a call and make it the current one."""
        telemetry, request, outer = self._telemetry, read_request(call), call.kept.get(LM_CALL)
        if BOUNDS.are_set:
            if outer is None:
                open_admission(call)
            admit_own_request(call, outer)
        adapter = ADAPTER_CALL.of(call.caller)
        if adapter is not None:
            note_prompt(telemetry, adapter)
        model = known_model(call.instance, request.options)
        opened: PlainInference | OpenInvocation[InferenceInvocation] | None = None
        stream: StreamTiming | None = None
        if telemetry.plain is not None and not is_listened_to():
            opened = telemetry.plain.inference(
                call, model.span_name, model.at_start, model.point(None, cache_hit=False)
            )
        if opened is None:
            opened = generic = self._open_invocation(call, model)
            stream = time_stream(generic.invocation)
            if stream is not None:
                note(call, stream)
        agent = call.kept.get(ACTING_AGENT)
        if agent is not None and outer is None:
            agent.count_inference()
        under_way = LMCall(call.instance, model.identity.model, opened.span, has_own_code=not is_of_dspy(call.owner))
        LM_CALL.put(call, under_way)
        recording = LMRecording(telemetry, call, model, opened, under_way, outer, stream)
        is_recording = opened.is_recording
        if outer is None and (is_recording or telemetry.metrics.are_heard):
            carry_on(call, recording.note_origin)
        if is_recording:
            carry_on(call, recording.describe, request, self._prompts)
        return recording

    def _open_invocation(self, call: Call, model: KnownModel) -> OpenInvocation[InferenceInvocation]:
        # Inside another call of a language model util-genai makes no span, and hands the data to the outer one.
        return open_invocation(
            call,
            self._telemetry.handler.inference(
                model.identity.provider,
                request_model=model.identity.model,
                server_address=model.server.host if model.server else None,
                server_port=model.server.port if model.server else None,
                operation_name=model.operation,
                context=with_call(call),
                conversation_id=CONVERSATION_ID.of(call),
            ),
        )


class LMRecording(Recording):
    """One language model call under way."""

    __slots__ = (
        "_call",
        "_content",
        "_labels",
        "_model",
        "_opened",
        "_origin",
        "_outer",
        "_stream",
        "_telemetry",
        "_under_way",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        call: Call,
        model: KnownModel,
        opened: PlainInference | OpenInvocation[InferenceInvocation],
        under_way: LMCall,
        outer: LMCall | None,
        stream: StreamTiming | None,
    ) -> None:
        self._telemetry = telemetry
        self._content = telemetry.content
        self._call = call
        self._model = model
        self._opened = opened
        self._under_way = under_way
        self._outer = outer
        self._stream = stream
        self._origin = NOWHERE
        self._labels = NO_LABELS

    def note_origin(self) -> None:
        """Work out what the points of the call tell of where it comes from; those of a stream begin before its end."""
        self._origin = origin_of(self._call)
        self._labels = labels = self._telemetry.labels.with_origin(self._origin, self._call)
        if not isinstance(self._opened, PlainInference):
            self._opened.invocation.metric_attributes.update(labels.attributes)

    def describe(self, request: LMRequest, prompts: PromptTeller) -> None:
        """Set what is known of the call before it runs."""
        self._content = content = self._telemetry.content.of_language_model_span()
        attributes, kept = self._opened.attributes, self._call.kept
        module, given = kept.get(MODULE), kept.get(ATTRIBUTES)
        if given and not isinstance(self._opened, PlainInference):
            # For the event; the span has them from its start, and what a sampler took away is not to come back.
            attributes.update(kept_by(self._opened.span, given))
        if self._model.openai_api is not None:
            attributes[OPENAI_API_TYPE] = self._model.openai_api
        attributes.update(parameter_attributes(request.options))
        stops = attributes.get(gen_ai.GEN_AI_REQUEST_STOP_SEQUENCES)
        if stops:
            attributes[gen_ai.GEN_AI_REQUEST_STOP_SEQUENCES] = [content.word(text, "input") for text in stops]
        origin, adapter, version = self._origin, kept.get(ADAPTER_NAME), None
        if origin.role is not None:
            attributes[semconv.DSPY_OPTIMIZER_ROLE] = origin.role
        if adapter is not None:
            attributes[semconv.DSPY_ADAPTER_NAME] = adapter
        if module is not None and origin.prompt is not None:
            attributes[gen_ai.GEN_AI_PROMPT_NAME] = origin.prompt
            version = prompt_version(module)
            if version is not None:
                attributes[GEN_AI_PROMPT_VERSION] = version
        if not isinstance(self._opened, PlainInference) and content.captured:
            invocation = self._opened.invocation
            invocation.input_messages = input_messages(content, request.prompt, request.messages)
            invocation.tool_definitions = tool_definitions(content, request.tools) or None
            if module is not None and origin.prompt is not None:
                prompts.tell(module, origin.prompt, version)

    def finish(self, result: Any) -> None:
        """Record a call that returned."""
        module = self._call.kept.get(MODULE)
        if module is not None:
            module.remember(result)
        else:
            remember(self._call, result)
        self._record(None, result)

    def fail(self, error: BaseException) -> None:
        """Record a call that an exception ended; what it was billed all the same is its usage."""
        self._record(error)

    def _record(self, error: BaseException | None, result: Any = None) -> None:
        opened, under_way, attributes = self._opened, self._under_way, self._opened.attributes
        outcome = self._outcome()
        if under_way.inner:
            outcome = handed_on(outcome, under_way.inner, result)
        if self._stream is not None:
            self._stream.end()
        if under_way.streams and self._stream is not None:
            attributes[gen_ai.GEN_AI_REQUEST_STREAM] = True  # also where no chunk came
        attributes[semconv.DSPY_CACHE_HIT] = outcome is not None and outcome.cache_hit
        if under_way.attempts > 1:
            attributes[semconv.DSPY_LM_ATTEMPTS] = under_way.attempts
        if not isinstance(opened, PlainInference) or opened.published.says_something:
            outcome = with_published(outcome, opened.context)
        if outcome is not None:
            outcome.response_model = response_model(outcome.response_model, self._model.prefix)
            self._price(outcome)
        is_counted = self._count(outcome, error)
        try:
            self._record_outcome(outcome)
            if not isinstance(opened, PlainInference) and opened.is_recording and self._content.captured:
                record_reply(self._content, opened.invocation, outcome, result)
            if error is not None:
                attributes[gen_ai.GEN_AI_RESPONSE_FINISH_REASONS] = [ENDED_BY_ERROR]
            if self._outer is not None:
                # The outer call takes the outcome; what stands here would reach its span as it is.
                attributes.clear()
        finally:
            if is_counted:
                record_outcome(self._telemetry.metrics, self._model, self._labels, outcome, opened.context)

    def _outcome(self) -> LMOutcome | None:
        """Return what the whole call used and paid, in the words of what was told last."""
        parts, told = parts_of(self._under_way), self._under_way.told
        if len(parts) > 1:
            for part in parts:
                self._price(part)
        return outcome_of_parts(parts, told[-1] if told else None)

    def _price(self, outcome: LMOutcome) -> None:
        own, language_model = self._telemetry.options.prices, self._under_way.language_model
        settle_price(outcome, self._model.identity, own, language_model)

    def _record_outcome(self, outcome: LMOutcome | None) -> None:
        """Set what the call was answered with, on its span and on the points that its end records."""
        answered_by, cache_hit = (None, False) if outcome is None else (outcome.response_model, outcome.cache_hit)
        point, opened = self._model.point(answered_by, self._labels, cache_hit=cache_hit), self._opened
        module = self._call.kept.get(MODULE)
        if outcome is not None and module is not None and self._outer is None:
            module.note_answer(outcome.response_id)
        endpoint = self._under_way.endpoint
        server = server_address(endpoint) if endpoint and self._model.server is None else None
        if server is not None:
            opened.attributes.update(server.attributes)
            point = {**point, **server.attributes}
        if isinstance(opened, PlainInference):
            opened.metric_attributes = point
        elif self._outer is None:
            opened.invocation.metric_attributes.update(point)
        if outcome is None:
            return
        if isinstance(opened, PlainInference):
            opened.input_tokens, opened.output_tokens = outcome.usage.input_tokens, outcome.usage.output_tokens
        else:
            invocation = opened.invocation
            invocation.response_model_name = outcome.response_model
            invocation.input_tokens = outcome.usage.input_tokens
            invocation.output_tokens = outcome.usage.output_tokens
            invocation.response_id = outcome.response_id
            invocation.finish_reasons = outcome.finish_reasons
        if opened.is_recording:
            opened.attributes.update(outcome_attributes(outcome))

    def _count(self, outcome: LMOutcome | None, error: BaseException | None) -> bool:
        """Add the call to the roll-ups, or leave that to the call around it; return whether it is one to count."""
        if self._outer is not None:
            if outcome is not None:
                self._outer.inner.append(outcome)
            return False
        is_refused = outcome is None and isinstance(error, BudgetStop)
        admission = self._call.kept.get(ADMISSION)
        if admission is not None:
            admission.is_free = is_refused or (outcome is not None and outcome.cache_hit)
        if is_refused:
            return False  # nothing was sent
        scope, model = self._call.kept.get(SCOPE), self._model
        if scope is not None:
            usage = usage_of(outcome, error)
            scope.add_sound(usage, model.identity.model)
            if OPTIMIZER in self._call.kept:
                add_by_role(self._call, usage, model.identity.model)
        return True
