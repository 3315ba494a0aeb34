"""The parameters of a request that may be recorded: an allow-list, since keys and headers stand beside them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GenAiOutputTypeValues

from ..convention_names import GEN_AI_REQUEST_REASONING_LEVEL
from .reply_values import is_a, items_of, member, name_of, number_of, whole_number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.util.types import AttributeValue

    from ..context import Call

__all__ = ["LMRequest", "parameter_attributes", "read_request"]


MAX_TEXTS = 100
"""Stop sequences of one call that are told; providers take a few."""


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
    config = None if typed is None else member(typed, "config")
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


def parameter_attributes(options: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Return what the language model or the call sets; what neither does is not recorded."""
    attributes: dict[str, AttributeValue] = {}
    for name, value in options.items():
        if value is not None:
            parameter = _PARAMETERS.get(name)
            if parameter is not None:
                attribute, read = parameter
                told = read(value)
                if told is not None:
                    attributes[attribute] = told
                else:
                    attributes.pop(attribute, None)
    return attributes


def _texts(value: Any) -> list[str] | None:
    items = islice(items_of(value), MAX_TEXTS)
    return [text for item in (value, *items) if (text := name_of(item)) is not None] or None


def _choices(value: Any) -> int | None:
    """Return how many replies are asked for; the conventions leave out one."""
    choices = whole_number_of(value)
    return choices if choices != 1 else None


def _effort(value: Any) -> str | None:
    return name_of(member(value, "effort"))


def _output_type(value: Any) -> str:
    """Return ``json`` for a JSON mode, a schema or a pydantic class, which DSPy turns into a schema."""
    kind = GenAiOutputTypeValues.TEXT if name_of(member(value, "type")) == "text" else GenAiOutputTypeValues.JSON
    return str(kind.value)


_PARAMETERS: dict[str, tuple[str, Callable[[Any], AttributeValue | None]]] = {
    "temperature": (gen_ai.GEN_AI_REQUEST_TEMPERATURE, number_of),
    "top_p": (gen_ai.GEN_AI_REQUEST_TOP_P, number_of),
    "top_k": (gen_ai.GEN_AI_REQUEST_TOP_K, whole_number_of),
    "frequency_penalty": (gen_ai.GEN_AI_REQUEST_FREQUENCY_PENALTY, number_of),
    "presence_penalty": (gen_ai.GEN_AI_REQUEST_PRESENCE_PENALTY, number_of),
    "max_tokens": (gen_ai.GEN_AI_REQUEST_MAX_TOKENS, whole_number_of),
    "max_completion_tokens": (gen_ai.GEN_AI_REQUEST_MAX_TOKENS, whole_number_of),
    "max_output_tokens": (gen_ai.GEN_AI_REQUEST_MAX_TOKENS, whole_number_of),
    "seed": (gen_ai.GEN_AI_REQUEST_SEED, whole_number_of),
    "stop": (gen_ai.GEN_AI_REQUEST_STOP_SEQUENCES, _texts),
    "n": (gen_ai.GEN_AI_REQUEST_CHOICE_COUNT, _choices),
    "reasoning_effort": (GEN_AI_REQUEST_REASONING_LEVEL, name_of),
    "reasoning": (GEN_AI_REQUEST_REASONING_LEVEL, _effort),
    "response_format": (gen_ai.GEN_AI_OUTPUT_TYPE, _output_type),
}
