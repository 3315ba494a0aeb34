"""Language model calls: one inference span for each, with what it used and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_OPERATION_NAME,
    GEN_AI_PROVIDER_NAME,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_RESPONSE_MODEL,
    GenAiOperationNameValues,
)

from .. import semconv
from ..content.messages import input_messages, output_messages, tool_definitions
from ..context import ActiveCall, current_call, with_call
from ..language_models.call_parts import parts_of
from ..language_models.lm_attributes import CURRENCY, outcome_attributes, set_token_details, usage_of
from ..language_models.lm_calls import LMCall
from ..language_models.outcomes import handed_on, outcome_of_parts
from ..language_models.prices import estimate
from ..language_models.providers import (
    ModelIdentity,
    identity_of,
    model_text,
    response_model,
    server_address,
    server_of,
)
from ..language_models.published_usage import with_published
from ..language_models.requests import LMRequest, read_request, set_request_parameters
from ..language_models.streams import StreamTiming, time_stream
from ..openings import carry_on
from ..optimization.roles import add_by_role, role_of
from ..programs.module_classes import classify
from ..programs.prompts import prompt_name, prompt_version
from ..reading import read, text_of_name
from ..spans import OpenInvocation, open_invocation
from ..tracers import kept_by
from .prompts import PromptTeller

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import InferenceInvocation
    from opentelemetry.util.types import AttributeValue

    from ..language_models.outcomes import LMOutcome
    from ..language_models.token_usage import TokenUsage
    from ..patching import Call
    from ..telemetry import Telemetry

__all__ = ["LMRecorder"]


ENDED_BY_ERROR = "error"
"""``gen_ai.response.finish_reasons`` of a call that failed or was cancelled."""


class LMRecorder:
    """Makes one inference span of each language model call, and adds its usage to the scopes around it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._prompts = PromptTeller(telemetry)

    def begin(self, call: Call) -> LMRecording:
        """Start the span of a call and make it the current one."""
        parent = current_call()
        language_model = call.instance
        request = read_request(call)
        identity = identity_of(language_model)
        options = request.options
        server = server_of(options.get("api_base"), options.get("base_url"), read(language_model, "base_url"))
        active = parent.inside(call)
        context = with_call(active)
        opened = open_invocation(
            # Inside another call of a language model util-genai makes no span, and hands the data to the outer one.
            self._telemetry.handler.inference(
                identity.provider,
                request_model=identity.model,
                server_address=server.host if server else None,
                server_port=server.port if server else None,
                operation_name=_operation(language_model),
                context=context,
                conversation_id=active.conversation_id,
            )
        )
        under_way = LMCall(language_model, identity.model, opened.span)
        active.language_model_call = under_way
        recording = LMRecording(self._telemetry, opened, identity, active, under_way, parent.language_model_call)
        if opened.is_recording:
            carry_on(recording.describe, request, self._prompts)
        return recording


class LMRecording:
    """One language model call under way."""

    __slots__ = (
        "_active",
        "_content",
        "_identity",
        "_invocation",
        "_opened",
        "_outer",
        "_stream",
        "_telemetry",
        "_under_way",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        opened: OpenInvocation[InferenceInvocation],
        identity: ModelIdentity,
        active: ActiveCall,
        under_way: LMCall,
        outer: LMCall | None,
    ) -> None:
        self._telemetry = telemetry
        self._content = telemetry.content
        self._opened = opened
        self._invocation = opened.invocation
        self._identity = identity
        self._active = active
        self._under_way = under_way
        self._outer = outer
        self._stream: StreamTiming | None = time_stream(opened.invocation)

    def describe(self, request: LMRequest, prompts: PromptTeller) -> None:
        """Set what is known of the call before it runs."""
        self._content = content = self._telemetry.content.of_language_model_span()
        invocation, active = self._invocation, self._active
        # For the event; the span has them from its start, and what a sampler took away is not to come back.
        invocation.attributes.update(kept_by(self._opened.span, active.attributes))
        set_request_parameters(invocation, request.options)
        if invocation.stop_sequences:
            invocation.stop_sequences = [content.word(text, "input") for text in invocation.stop_sequences]
        role = role_of(active)
        if role is not None:
            invocation.attributes[semconv.DSPY_OPTIMIZER_ROLE] = role
        if active.adapter_name is not None:
            invocation.attributes[semconv.DSPY_ADAPTER_NAME] = active.adapter_name
            if active.module is not None and classify(type(active.module.instance)).is_predictor:
                invocation.prompt_name = prompt_name(active.module)
                invocation.prompt_version = prompt_version(active.module)
        if content.captured:
            invocation.input_messages = input_messages(content, request.prompt, request.messages)
            invocation.tool_definitions = tool_definitions(content, request.tools) or None
            if active.module is not None and invocation.prompt_name is not None:
                prompts.tell(active.module, invocation.prompt_name, invocation.prompt_version)

    def finish(self, result: Any) -> None:
        """End the span of a call that returned."""
        if self._active.module is not None:
            self._active.module.remember(result)
        else:
            self._active.remember(result)
        self._end(None, result)

    def fail(self, error: BaseException) -> None:
        """End the span of a call that an exception ended; what it was billed all the same is its usage."""
        self._end(error)

    def _end(self, error: BaseException | None, result: Any = None) -> None:
        try:
            outcome = handed_on(self._outcome(), self._under_way.inner, result)
            if self._stream is not None:
                self._stream.end()
                if self._under_way.streams:
                    # Also where no chunk came.
                    self._invocation.request_stream = True
            self._invocation.attributes[semconv.DSPY_CACHE_HIT] = outcome is not None and outcome.cache_hit
            if self._under_way.attempts > 1:
                self._invocation.attributes[semconv.DSPY_LM_ATTEMPTS] = self._under_way.attempts
            self._set_endpoint()
            outcome = with_published(outcome, self._invocation)
            if outcome is not None:
                outcome.response_model = response_model(
                    outcome.response_model, model_text(self._under_way.language_model)
                )
                self._price(outcome)
            self._count(outcome, error)
            if outcome is not None:
                self._record_outcome(outcome)
            if self._opened.is_recording and self._content.captured:
                self._record_reply(outcome, result)
            if error is not None:
                self._invocation.finish_reasons = [ENDED_BY_ERROR]
            if self._outer is not None:
                # The outer call takes the outcome; what stands here would reach its span as it is.
                self._invocation.attributes.clear()
                self._invocation.metric_attributes.clear()
        finally:
            self._opened.end(error)

    def _outcome(self) -> LMOutcome | None:
        """Return what the whole call used and paid, in the words of what was told last."""
        parts, told = parts_of(self._under_way), self._under_way.told
        if len(parts) > 1:
            for part in parts:
                self._price(part)
        return outcome_of_parts(parts, told[-1] if told else None)

    def _set_endpoint(self) -> None:
        endpoint = self._under_way.endpoint
        server = server_address(endpoint) if endpoint and self._invocation.server_address is None else None
        if server is not None:
            self._invocation.data.server_address = server.host
            self._invocation.data.server_port = server.port

    def _price(self, outcome: LMOutcome) -> None:
        """Estimate the price of what DSPy has none for."""
        if outcome.cache_hit:
            if outcome.saved_cost is None:
                outcome.saved_cost = self._estimate(outcome.saved_usage, outcome.response_model)
        elif outcome.cost is None:
            outcome.cost = self._estimate(outcome.usage, outcome.response_model)

    def _estimate(self, usage: TokenUsage, answered_by: str | None) -> float | None:
        if not usage.is_known:
            return None
        price = estimate(self._identity.provider, self._identity.model, usage)
        # A deployment has a name of its own; which model it is comes with the reply.
        return estimate(self._identity.provider, answered_by, usage) if price is None and answered_by else price

    def _record_outcome(self, outcome: LMOutcome) -> None:
        invocation = self._invocation
        if self._active.module is not None and self._outer is None:
            self._active.module.note_answer(outcome.response_id)
        invocation.response_model_name = outcome.response_model
        invocation.input_tokens = outcome.usage.input_tokens
        invocation.output_tokens = outcome.usage.output_tokens
        if outcome.cache_hit:
            invocation.metric_attributes[semconv.DSPY_CACHE_HIT] = True
        if not invocation.span.is_recording():
            return
        invocation.response_id = outcome.response_id
        invocation.finish_reasons = outcome.finish_reasons
        set_token_details(invocation, outcome.usage)
        invocation.attributes.update(outcome_attributes(outcome))

    def _record_reply(self, outcome: LMOutcome | None, result: Any) -> None:
        """Set what the language model said: as it came, else as DSPy hands it out, else what the call returned.

        A class that overrides ``__call__`` and its like pass none of the places where DSPy tells of a reply.
        """
        replies, said, reasons = (
            ((), result, [])
            if outcome is None
            else (outcome.replies, outcome.outputs or result, outcome.finish_reasons)
        )
        content = self._content.make_room_for_answer()
        self._invocation.output_messages = output_messages(content, replies, said, reasons)

    def _count(self, outcome: LMOutcome | None, error: BaseException | None) -> None:
        """Add the call to the roll-ups and to DSPy's metrics, or leave that to the call around it."""
        if self._outer is not None:
            if outcome is not None:
                self._outer.inner.append(outcome)
            return
        if self._active.scope is not None:
            usage = usage_of(outcome, error)
            self._active.scope.add(usage, self._identity.model)
            add_by_role(self._active, usage, self._identity.model)
        self._record_metrics(outcome)

    def _record_metrics(self, outcome: LMOutcome | None) -> None:
        metrics, model = self._telemetry.metrics, self._identity.model
        context = self._opened.context
        cache_hit = outcome is not None and outcome.cache_hit
        metrics.cache_requests.add(1, {GEN_AI_REQUEST_MODEL: model, semconv.DSPY_CACHE_HIT: cache_hit}, context)
        if outcome is None:
            return
        if cache_hit and outcome.saved_cost is not None:
            saved = {GEN_AI_REQUEST_MODEL: model, semconv.GEN_AI_USAGE_COST_CURRENCY: CURRENCY}
            metrics.cache_saved_cost.add(outcome.saved_cost, saved, context)
        if outcome.cost is not None:
            attributes: dict[str, AttributeValue] = {
                GEN_AI_OPERATION_NAME: _operation(self._active.instance),
                GEN_AI_PROVIDER_NAME: self._identity.provider,
                GEN_AI_REQUEST_MODEL: model,
                semconv.GEN_AI_USAGE_COST_CURRENCY: CURRENCY,
                semconv.GEN_AI_USAGE_COST_SOURCE: outcome.cost_source,
            }
            if outcome.response_model is not None:
                attributes[GEN_AI_RESPONSE_MODEL] = outcome.response_model
            metrics.operation_cost.record(outcome.cost, attributes, context)


def _operation(language_model: Any) -> str:
    if text_of_name(read(language_model, "model_type")) == "text":
        return GenAiOperationNameValues.TEXT_COMPLETION.value
    return GenAiOperationNameValues.CHAT.value
