"""The parameters of a request that may be recorded: an allow-list, since keys and headers stand beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GenAiOutputTypeValues

from .reply_values import is_a, items_of, member, name_of, number_of, whole_number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.util.genai.invocation import InferenceInvocation

    from ..patching import Call

__all__ = ["LMRequest", "read_request", "set_request_parameters"]


@dataclass(slots=True)
class LMRequest:
    """What one language model call was asked."""

    options: Mapping[str, Any]
    """The settings of the language model, overridden by those of the call. Keys and headers are among them."""
    prompt: Any
    messages: Any
    tools: Any


def read_request(call: Call) -> LMRequest:
    """Read a call that was given a prompt, messages in OpenAI's shape, or one of DSPy's typed requests."""
    own = member(call.instance, "kwargs")
    options: dict[str, Any] = {**(own if is_a(own, dict) else {}), **call.keyword_arguments}
    first = call.arguments[0] if call.arguments else options.get("prompt")
    typed = first if options.get("request") is None else options["request"]
    config = member(typed, "config")
    if config is not None and member(typed, "messages") is not None:
        parameters = {name: value for name in _PARAMETERS if (value := member(config, name)) is not None}
        return LMRequest({**options, **parameters}, None, _messages_of(typed), member(typed, "tools"))
    if member(call.instance, "supports_decision_requests") is True:
        # A decision client takes a state and questions about it.
        asked = {**dict(zip(("state", "questions"), call.arguments, strict=False)), **call.keyword_arguments}
        return LMRequest(options, asked, None, None)
    # Up to DSPy 3.3 messages may be given by position too.
    messages = call.arguments[1] if len(call.arguments) > 1 else options.get("messages")
    return LMRequest(options, first, messages, options.get("tools"))


def _messages_of(request: Any) -> list[dict[str, Any]]:
    """Return the messages of a typed request; their parts stay what they are."""
    system = member(request, "system")
    messages = [{"role": "system", "content": system}] if system is not None else []
    return messages + [
        {"role": member(message, "role"), "content": member(message, "parts")}
        for message in items_of(member(request, "messages"))
    ]


def set_request_parameters(invocation: InferenceInvocation, options: Mapping[str, Any]) -> None:
    """Set what the language model or the call sets; what neither does is not recorded."""
    for name, value in options.items():
        if value is not None:
            set_parameter = _PARAMETERS.get(name)
            if set_parameter is not None:
                set_parameter(invocation, value)


def _temperature(invocation: InferenceInvocation, value: Any) -> None:
    invocation.temperature = number_of(value)


def _top_p(invocation: InferenceInvocation, value: Any) -> None:
    invocation.top_p = number_of(value)


def _top_k(invocation: InferenceInvocation, value: Any) -> None:
    invocation.top_k = whole_number_of(value)


def _frequency_penalty(invocation: InferenceInvocation, value: Any) -> None:
    invocation.frequency_penalty = number_of(value)


def _presence_penalty(invocation: InferenceInvocation, value: Any) -> None:
    invocation.presence_penalty = number_of(value)


def _max_tokens(invocation: InferenceInvocation, value: Any) -> None:
    invocation.max_tokens = whole_number_of(value)


def _seed(invocation: InferenceInvocation, value: Any) -> None:
    invocation.seed = whole_number_of(value)


def _stop(invocation: InferenceInvocation, value: Any) -> None:
    texts = [text for item in (value, *items_of(value)) if (text := name_of(item)) is not None]
    if texts:
        invocation.stop_sequences = texts


def _choices(invocation: InferenceInvocation, value: Any) -> None:
    """Set how many replies are asked for; the conventions leave out one."""
    choices = whole_number_of(value)
    invocation.request_choice_count = choices if choices != 1 else None


def _reasoning_effort(invocation: InferenceInvocation, value: Any) -> None:
    level = name_of(value)
    if level is not None:
        invocation.reasoning_level = level


def _reasoning(invocation: InferenceInvocation, value: Any) -> None:
    _reasoning_effort(invocation, member(value, "effort"))


def _response_format(invocation: InferenceInvocation, value: Any) -> None:
    """Set ``json`` for a JSON mode, a schema or a pydantic class, which DSPy turns into a schema."""
    is_text = name_of(member(value, "type")) == "text"
    invocation.output_type = (GenAiOutputTypeValues.TEXT if is_text else GenAiOutputTypeValues.JSON).value


_PARAMETERS: dict[str, Callable[[InferenceInvocation, Any], None]] = {
    "temperature": _temperature,
    "top_p": _top_p,
    "top_k": _top_k,
    "frequency_penalty": _frequency_penalty,
    "presence_penalty": _presence_penalty,
    "max_tokens": _max_tokens,
    "max_completion_tokens": _max_tokens,
    "max_output_tokens": _max_tokens,
    "seed": _seed,
    "stop": _stop,
    "n": _choices,
    "reasoning_effort": _reasoning_effort,
    "reasoning": _reasoning,
    "response_format": _response_format,
}
