"""What other instrumentations told of the calls inside of one of ours.

``opentelemetry-util-genai`` makes no second span for a provider's client that runs inside a language model call, and
hands its data to the outer span. What the outer call does not report itself then stands on its span all the same, and
has to be in the roll-ups too.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY, InferenceData

from .. import convention_names
from .outcomes import LMOutcome
from .reply_values import count_of, items_of, name_of
from .token_usage import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

__all__ = ["Published", "attributes_published", "with_published"]


def with_published(own: LMOutcome | None, context: Context) -> LMOutcome | None:
    """Return a call's outcome, completed by the tokens that a call inside published if it reports none itself.

    ``context`` is that of the outer call's span.
    """
    published = context.get(CLIENT_INFERENCE_CONTEXT_KEY)
    if not isinstance(published, InferenceData):
        return own
    if isinstance(published, Published) and not published.says_something:
        return own
    _make_sound(published)
    if own is not None and (own.usage.is_known or own.cache_hit):
        return own
    usage = TokenUsage(
        input_tokens=published.usage_input_tokens,
        output_tokens=published.usage_output_tokens,
        cache_read_input_tokens=published.usage_cache_read_input_tokens,
        cache_write_input_tokens=published.usage_cache_write_input_tokens,
        reasoning_output_tokens=published.usage_reasoning_output_tokens,
    )
    if not usage.is_known:
        return own
    outcome = own or LMOutcome(response_model=published.response_model, response_id=published.response_id)
    outcome.usage = usage
    outcome.finish_reasons = outcome.finish_reasons or list(published.response_finish_reasons or ())
    return outcome


_COUNTS = tuple(field.name for field in fields(InferenceData) if field.name.startswith("usage_"))


def _make_sound(published: InferenceData) -> None:
    """Take out what is no count and no name: util-genai sets on the span whatever stands here."""
    for name in _COUNTS:
        told = getattr(published, name)
        if told is not None:
            setattr(published, name, count_of(told))
    published.response_model = name_of(published.response_model)
    published.response_id = name_of(published.response_id)
    if published.response_finish_reasons is not None:
        reasons = [name_of(reason) for reason in items_of(published.response_finish_reasons)]
        published.response_finish_reasons = [reason for reason in reasons if reason is not None] or None


class Published(InferenceData):
    """Takes what calls inside publish; mostly nothing: until then all fields but two are those of the class."""

    def __init__(self) -> None:
        self.attributes = {}
        self.metric_attributes = {}

    @property
    def says_something(self) -> bool:
        """Whether anybody published anything."""
        return bool(len(vars(self)) > len(_OWN_FIELDS) or self.attributes or self.metric_attributes)


_OWN_FIELDS = ("attributes", "metric_attributes")


def attributes_published(published: Published) -> Iterator[tuple[str, AttributeValue]]:
    """Yield what calls inside told of themselves, as util-genai writes it on the span of the outer call."""
    yield from published.attributes.items()
    told = vars(published)
    for field_name, name in _ATTRIBUTES.items():
        value = told.get(field_name)
        if value is not None and (value or not field_name.startswith("usage_")):
            yield name, value


_ATTRIBUTES = {
    "conversation_id": gen_ai.GEN_AI_CONVERSATION_ID,
    "output_type": gen_ai.GEN_AI_OUTPUT_TYPE,
    "prompt_name": gen_ai.GEN_AI_PROMPT_NAME,
    "prompt_version": convention_names.GEN_AI_PROMPT_VERSION,
    "request_choice_count": gen_ai.GEN_AI_REQUEST_CHOICE_COUNT,
    "request_frequency_penalty": gen_ai.GEN_AI_REQUEST_FREQUENCY_PENALTY,
    "request_max_tokens": gen_ai.GEN_AI_REQUEST_MAX_TOKENS,
    "request_presence_penalty": gen_ai.GEN_AI_REQUEST_PRESENCE_PENALTY,
    "request_reasoning_level": convention_names.GEN_AI_REQUEST_REASONING_LEVEL,
    "request_seed": gen_ai.GEN_AI_REQUEST_SEED,
    "request_stop_sequences": gen_ai.GEN_AI_REQUEST_STOP_SEQUENCES,
    "request_stream": gen_ai.GEN_AI_REQUEST_STREAM,
    "request_temperature": gen_ai.GEN_AI_REQUEST_TEMPERATURE,
    "request_top_k": gen_ai.GEN_AI_REQUEST_TOP_K,
    "request_top_p": gen_ai.GEN_AI_REQUEST_TOP_P,
    "response_id": gen_ai.GEN_AI_RESPONSE_ID,
    "response_model": gen_ai.GEN_AI_RESPONSE_MODEL,
    "response_time_to_first_chunk": gen_ai.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
    "server_address": SERVER_ADDRESS,
    "server_port": SERVER_PORT,
    "usage_cache_read_input_tokens": gen_ai.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
    "usage_cache_write_input_tokens": convention_names.GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS,
    "usage_input_tokens": gen_ai.GEN_AI_USAGE_INPUT_TOKENS,
    "usage_output_tokens": gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS,
    "usage_reasoning_output_tokens": gen_ai.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
    **{f"usage_{modality}_input_tokens": name for modality, name in convention_names.INPUT_TOKENS_OF.items()},
    **{f"usage_{modality}_output_tokens": name for modality, name in convention_names.OUTPUT_TOKENS_OF.items()},
    **{f"usage_{each}_cache_read_input_tokens": name for each, name in convention_names.CACHE_READ_TOKENS_OF.items()},
}
"""For each field of ``InferenceData`` the attribute that util-genai makes of it."""
