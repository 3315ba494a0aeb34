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
from ..context import ActiveCall, LMCall, current_call, with_call
from ..lm_results import LMOutcome, with_inner
from ..messages import input_messages, output_messages, tool_definitions
from ..module_classes import classify
from ..prices import estimate
from ..prompts import prompt_name, prompt_version
from ..providers import ModelIdentity, identify, server_address
from ..requests import LMRequest, read_request, set_request_parameters
from ..spans import OpenInvocation, open_invocation
from ..streams import StreamTiming, time_stream
from ..usage import Usage

if TYPE_CHECKING:
    from opentelemetry.util.genai.invocation import InferenceInvocation
    from opentelemetry.util.types import AttributeValue

    from ..patching import Call
    from ..telemetry import Telemetry
    from ..token_usage import TokenUsage

__all__ = ["LMRecorder"]

CURRENCY = "USD"
"""DSPy's, LiteLLM's and genai-prices' tables are in US dollars, and so are the prices in OpenRouter's replies."""


class LMRecorder:
    """Makes one inference span of each language model call, and adds its usage to the scopes around it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> LMRecording:
        """Start the span of a call and make it the current one."""
        parent = current_call()
        language_model = call.instance
        request = read_request(call)
        identity = identify(language_model.model, _own_provider(type(language_model)))
        endpoint = request.options.get("api_base") or request.options.get("base_url")
        server = server_address(endpoint) if isinstance(endpoint, str) else None
        active = parent.child(language_model, call.owner, call.attribute)
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
            recording.describe(request)
        return recording


class LMRecording:
    """One language model call under way."""

    __slots__ = ("_active", "_identity", "_invocation", "_opened", "_outer", "_stream", "_telemetry", "_under_way")

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
        self._opened = opened
        self._invocation = opened.invocation
        self._identity = identity
        self._active = active
        self._under_way = under_way
        self._outer = outer
        self._stream: StreamTiming | None = time_stream(opened.invocation)

    def describe(self, request: LMRequest) -> None:
        """Set what is known of the call before it runs."""
        invocation, active = self._invocation, self._active
        invocation.attributes.update(active.attributes)
        set_request_parameters(invocation, request.options)
        if active.adapter_name is not None:
            invocation.attributes[semconv.DSPY_ADAPTER_NAME] = active.adapter_name
            if active.module is not None and classify(type(active.module.instance)).is_predictor:
                invocation.prompt_name = prompt_name(active.module)
                invocation.prompt_version = prompt_version(active.module)
        if self._telemetry.content.captured:
            content = self._telemetry.content
            invocation.input_messages = input_messages(content, request.prompt, request.messages)
            invocation.tool_definitions = tool_definitions(content, request.tools) or None

    def finish(self, result: Any) -> None:
        """End the span of a call that returned."""
        self._end(with_inner(self._under_way.outcome, self._under_way.inner), None)

    def fail(self, error: BaseException) -> None:
        """End the span of a call that an exception ended; what it was billed all the same is its usage."""
        outcome = with_inner(None, self._under_way.inner)
        billed = self._under_way.failed_usage
        if outcome is None and billed is not None and billed.is_known:
            outcome = LMOutcome(usage=billed)
        self._end(outcome, error)

    def _end(self, outcome: LMOutcome | None, error: BaseException | None) -> None:
        try:
            if self._stream is not None:
                self._stream.end()
            self._invocation.attributes[semconv.DSPY_CACHE_HIT] = outcome is not None and outcome.cache_hit
            if self._under_way.attempts > 1:
                self._invocation.attributes[semconv.DSPY_LM_ATTEMPTS] = self._under_way.attempts
            self._set_endpoint()
            if outcome is not None:
                self._price(outcome)
                self._record_outcome(outcome)
            self._count(outcome, error)
        finally:
            self._opened.end(error)

    def _set_endpoint(self) -> None:
        endpoint = self._under_way.endpoint
        server = server_address(endpoint) if endpoint and self._invocation.server_address is None else None
        if server is not None:
            self._invocation.data.server_address = server.host
            self._invocation.data.server_port = server.port

    def _price(self, outcome: LMOutcome) -> None:
        if outcome.cost is None and not outcome.cache_hit and outcome.usage.is_known:
            outcome.cost = estimate(self._identity.provider, self._identity.model, outcome.usage)

    def _record_outcome(self, outcome: LMOutcome) -> None:
        invocation = self._invocation
        invocation.response_model_name = outcome.response_model
        invocation.input_tokens = outcome.usage.input_tokens
        invocation.output_tokens = outcome.usage.output_tokens
        if outcome.cache_hit:
            invocation.metric_attributes[semconv.DSPY_CACHE_HIT] = True
        if not invocation.span.is_recording():
            return
        invocation.response_id = outcome.response_id
        invocation.finish_reasons = outcome.finish_reasons
        _set_token_details(invocation, outcome.usage)
        invocation.attributes.update(_outcome_attributes(outcome))
        content = self._telemetry.content
        if content.captured:
            invocation.output_messages = output_messages(content, outcome.outputs, outcome.finish_reasons)

    def _count(self, outcome: LMOutcome | None, error: BaseException | None) -> None:
        """Add the call to the roll-ups and to DSPy's metrics, or leave that to the call around it."""
        if self._outer is not None:
            if outcome is not None:
                self._outer.inner.append(outcome)
            return
        if self._active.scope is not None:
            self._active.scope.add(_usage_of(outcome, error), self._identity.model)
        if outcome is not None:
            self._record_metrics(outcome)

    def _record_metrics(self, outcome: LMOutcome) -> None:
        metrics, model = self._telemetry.metrics, self._identity.model
        context = self._opened.context
        metrics.cache_requests.add(1, {GEN_AI_REQUEST_MODEL: model, semconv.DSPY_CACHE_HIT: outcome.cache_hit}, context)
        if outcome.cache_hit and outcome.saved_cost is not None:
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
    if getattr(language_model, "model_type", None) == "text":
        return GenAiOperationNameValues.TEXT_COMPLETION.value
    return GenAiOperationNameValues.CHAT.value


def _own_provider(language_model_class: type) -> str | None:
    """Return the provider that a class is itself; ``None`` for ``dspy.LM``, whose model string names one."""
    for ancestor in language_model_class.__mro__:
        if ancestor.__module__.partition(".")[0] == "dspy":
            if ancestor.__name__ == "LM":
                return None
            return language_model_class.__name__ if ancestor.__name__ == "BaseLM" else ancestor.__name__
    return language_model_class.__name__


def _set_token_details(invocation: InferenceInvocation, usage: TokenUsage) -> None:
    invocation.cache_read_input_tokens = usage.cache_read_input_tokens
    invocation.cache_write_input_tokens = usage.cache_write_input_tokens
    invocation.thinking_tokens = usage.reasoning_output_tokens
    if usage.input_by_modality:
        invocation.set_input_tokens(usage.input_by_modality)
    if usage.output_by_modality:
        invocation.set_output_tokens(usage.output_by_modality)


def _outcome_attributes(outcome: LMOutcome) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {}
    if outcome.cost is not None:
        attributes[semconv.GEN_AI_USAGE_COST_AMOUNT] = float(outcome.cost)
        attributes[semconv.GEN_AI_USAGE_COST_CURRENCY] = CURRENCY
        attributes[semconv.GEN_AI_USAGE_COST_SOURCE] = outcome.cost_source
    saved = (
        (semconv.DSPY_CACHE_SAVED_INPUT_TOKENS, outcome.saved_usage.input_tokens),
        (semconv.DSPY_CACHE_SAVED_OUTPUT_TOKENS, outcome.saved_usage.output_tokens),
        (semconv.DSPY_CACHE_SAVED_COST, outcome.saved_cost),
    )
    attributes.update({name: value for name, value in saved if value is not None})
    if outcome.adaptations:
        attributes[semconv.DSPY_LM_ADAPTATIONS] = outcome.adaptations
    return attributes


def _usage_of(outcome: LMOutcome | None, error: BaseException | None) -> Usage:
    """Return what a call adds to the roll-ups: a failed one counts as a call, and with what it was billed."""
    if outcome is None:
        return Usage(lm_calls=1, cost_unknown_calls=0 if error is not None else 1)
    if outcome.cache_hit:
        return Usage(lm_calls=1, cache_hits=1, saved_cost=outcome.saved_cost or 0.0)
    return Usage(
        lm_calls=1,
        input_tokens=outcome.usage.input_tokens or 0,
        output_tokens=outcome.usage.output_tokens or 0,
        cost=outcome.cost or 0.0,
        cost_unknown_calls=1 if outcome.cost is None else 0,
    )
