"""Language model calls: one inference span for each call of a ``dspy.BaseLM``, with what it used and cost."""

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
from ..lm_results import LMOutcome, outcome_of_call_result
from ..messages import input_messages, output_messages, tool_definitions
from ..module_classes import classify
from ..prompts import prompt_name, prompt_version
from ..providers import ModelIdentity, identify, server_address
from ..requests import set_request_parameters
from ..spans import OpenInvocation, open_invocation
from ..usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.genai.invocation import InferenceInvocation
    from opentelemetry.util.types import AttributeValue

    from ..patching import Call
    from ..telemetry import Telemetry

__all__ = ["CallResultRecorder", "LMRecorder"]

CURRENCY = "USD"
"""DSPy's and LiteLLM's price tables are in US dollars."""


class LMRecorder:
    """Makes one inference span of each language model call, and adds its usage to the scopes around it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> LMRecording:
        """Start the span of a call and make it the current one."""
        parent = current_call()
        language_model = call.instance
        options = {**getattr(language_model, "kwargs", {}), **call.keyword_arguments}
        active = parent.child(language_model, call.owner, call.attribute)
        active.language_model_call = LMCall(language_model)
        identity = identify(language_model.model, _default_provider(language_model))
        endpoint = options.get("api_base") or options.get("base_url")
        server = server_address(endpoint) if isinstance(endpoint, str) else None
        opened = open_invocation(
            self._telemetry.handler.inference(
                identity.provider,
                request_model=identity.model,
                server_address=server.host if server else None,
                server_port=server.port if server else None,
                operation_name=_operation(language_model),
                context=with_call(active),
                conversation_id=active.conversation_id,
            )
        )
        recording = LMRecording(self._telemetry, opened, identity, active)
        if opened.is_recording:
            recording.describe(call, options)
        return recording


class LMRecording:
    """One language model call under way."""

    __slots__ = ("_active", "_identity", "_invocation", "_opened", "_telemetry")

    def __init__(
        self,
        telemetry: Telemetry,
        opened: OpenInvocation[InferenceInvocation],
        identity: ModelIdentity,
        active: ActiveCall,
    ) -> None:
        self._telemetry = telemetry
        self._opened = opened
        self._invocation = opened.invocation
        self._identity = identity
        self._active = active

    def describe(self, call: Call, options: Mapping[str, Any]) -> None:
        """Set what is known of the call before it runs."""
        invocation, active = self._invocation, self._active
        invocation.attributes.update(active.attributes)
        set_request_parameters(invocation, options)
        if active.adapter_name is not None:
            invocation.attributes[semconv.DSPY_ADAPTER_NAME] = active.adapter_name
            if active.module is not None and classify(type(active.module.instance)).is_predictor:
                invocation.prompt_name = prompt_name(active.module)
                invocation.prompt_version = prompt_version(active.module)
        if self._telemetry.content.captured:
            content = self._telemetry.content
            prompt = call.arguments[0] if call.arguments else options.get("prompt")
            invocation.input_messages = input_messages(content, prompt, options.get("messages"))
            invocation.tool_definitions = tool_definitions(content, options.get("tools")) or None

    def finish(self, result: Any) -> None:
        """End the span of a call that returned."""
        call = self._active.language_model_call
        self._end(call.outcome if call is not None else None, None)

    def fail(self, error: BaseException) -> None:
        """End the span of a call that an exception ended."""
        self._end(None, error)

    def _end(self, outcome: LMOutcome | None, error: BaseException | None) -> None:
        invocation = self._invocation
        invocation.attributes[semconv.DSPY_CACHE_HIT] = outcome is not None and outcome.cache_hit
        try:
            if outcome is not None:
                self._record_outcome(outcome)
            if self._active.scope is not None:
                self._active.scope.add(_usage_of(outcome, error), self._identity.model)
        finally:
            self._opened.end(error)

    def _record_outcome(self, outcome: LMOutcome) -> None:
        invocation, usage = self._invocation, outcome.usage
        invocation.response_model_name = outcome.response_model
        invocation.input_tokens = usage.input_tokens
        invocation.output_tokens = usage.output_tokens
        self._record_metrics(outcome)
        if not invocation.span.is_recording():
            return
        invocation.response_id = outcome.response_id
        invocation.finish_reasons = outcome.finish_reasons
        invocation.cache_read_input_tokens = usage.cache_read_input_tokens
        invocation.cache_write_input_tokens = usage.cache_write_input_tokens
        invocation.thinking_tokens = usage.reasoning_output_tokens
        invocation.set_input_tokens(usage.input_by_modality)
        invocation.set_output_tokens(usage.output_by_modality)
        invocation.attributes.update(_outcome_attributes(outcome))
        content = self._telemetry.content
        if content.captured:
            invocation.output_messages = output_messages(content, outcome.outputs, outcome.finish_reasons)

    def _record_metrics(self, outcome: LMOutcome) -> None:
        metrics, model = self._telemetry.metrics, self._identity.model
        context = self._invocation.context
        metrics.cache_requests.add(1, {GEN_AI_REQUEST_MODEL: model, semconv.DSPY_CACHE_HIT: outcome.cache_hit}, context)
        if outcome.cache_hit:
            self._invocation.metric_attributes[semconv.DSPY_CACHE_HIT] = True
            if outcome.saved_cost is not None:
                saved = {GEN_AI_REQUEST_MODEL: model, semconv.GEN_AI_USAGE_COST_CURRENCY: CURRENCY}
                metrics.cache_saved_cost.add(outcome.saved_cost, saved, context)
        elif outcome.cost is not None:
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


class CallResultRecorder:
    """Takes the outcome of a call from ``dspy.clients.execution.finalize``, which each successful one passes once."""

    def begin(self, call: Call) -> None:
        """Put the outcome into the record of the call that is under way."""
        language_model, _, result = call.arguments
        under_way = current_call().language_model_call
        if under_way is not None and under_way.language_model is language_model:
            under_way.outcome = outcome_of_call_result(result)


def _operation(language_model: Any) -> str:
    if getattr(language_model, "model_type", None) == "text":
        return GenAiOperationNameValues.TEXT_COMPLETION.value
    return GenAiOperationNameValues.CHAT.value


def _default_provider(language_model: Any) -> str:
    """Return the provider of a model string without a prefix: LM takes OpenAI, other classes are on their own."""
    ancestors = (ancestor.__name__ for ancestor in type(language_model).__mro__)
    return "openai" if "LM" in ancestors else type(language_model).__name__


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
    """Return what a call adds to the roll-ups: a failed one counts as a call, and as nothing else."""
    if error is not None:
        return Usage(lm_calls=1)
    if outcome is None:
        return Usage(lm_calls=1, cost_unknown_calls=1)
    if outcome.cache_hit:
        return Usage(lm_calls=1, cache_hits=1, saved_cost=outcome.saved_cost or 0.0)
    return Usage(
        lm_calls=1,
        input_tokens=outcome.usage.input_tokens or 0,
        output_tokens=outcome.usage.output_tokens or 0,
        cost=outcome.cost or 0.0,
        cost_unknown_calls=1 if outcome.cost is None else 0,
    )
