"""What is plain is read the same by the short way and by the careful one; what is not, the short way leaves alone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy.clients.call_result import CallResult
from dspy.lm15 import Message, Response, TextPart, Usage
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.trace import INVALID_SPAN

from opentelemetry.instrumentation.dspy.language_models.lm_calls import LMCall
from opentelemetry.instrumentation.dspy.language_models.native_engine import plain_outcome
from opentelemetry.instrumentation.dspy.lm_results import careful_outcome, outcome_of_call_result

LANGUAGE_MODEL = dspy.LM("openai/gpt-4o-mini")
REPLIES = Path(__file__).parents[1] / "provider_replies"

TEXTS = st.one_of(st.sampled_from(["stop", "length", "default", "priority", "gpt-4o-mini", ""]), st.text(max_size=5))
COUNTS = st.one_of(st.none(), st.integers(0, 3), st.integers(10**11, 10**14))
ODD = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(allow_nan=False, allow_infinity=False), TEXTS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(TEXTS, inner, max_size=2)),
    max_leaves=4,
)
DETAILS = st.one_of(ODD, st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens"]), COUNTS, max_size=2))
OWN_USAGE = st.fixed_dictionaries(
    {},
    optional={
        "cost": ODD,
        "prompt_tokens": COUNTS,
        "prompt_tokens_details": DETAILS,
        "completion_tokens_details": DETAILS,
        "service_tier": ODD,
    },
)
CHOICE = st.fixed_dictionaries({}, optional={"message": ODD, "finish_reason": st.one_of(TEXTS, ODD)})
FRAMES = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "id": ODD,
            "model": ODD,
            "provider": ODD,
            "service_tier": st.one_of(TEXTS, ODD),
            "usage": st.one_of(OWN_USAGE, ODD),
            "choices": st.one_of(st.lists(st.one_of(CHOICE, ODD), max_size=2), ODD),
            "usageMetadata": ODD,
            "_hidden_params": ODD,
        },
    ),
)
USAGES = st.builds(
    Usage,
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cache_read_tokens=st.sampled_from([None, None, 0, 1]),
    reasoning_tokens=st.sampled_from([None, None, 0, 1]),
)


def response_of(frame: Any, usage: Usage, reason: str = "stop", identity: str | None = "reply-1") -> Response:
    message = Message(role="assistant", parts=(TextPart("Here."),))
    return Response(
        id=identity, model="gpt-4o-mini", message=message, finish_reason=reason, usage=usage, provider_data=frame
    )


def call(*, from_cache: bool = False, provider: str | None = None) -> LMCall:
    made = LMCall(LANGUAGE_MODEL, "gpt-4o-mini", INVALID_SPAN)
    made.from_cache, made.engine_provider = from_cache, provider
    return made


@settings(max_examples=600, deadline=None)
@given(
    frame=FRAMES,
    usage=USAGES,
    reason=st.sampled_from(["stop", "length", "tool_call"]),
    identity=st.sampled_from(["reply-1", None]),
    cost=st.one_of(st.none(), st.floats(0, 2)),
    provider=st.sampled_from([None, "openai", "anthropic", "gemini", "xai"]),
    from_cache=st.booleans(),
)
def test_what_the_short_way_reads_the_careful_one_reads_the_same(
    frame: Any,
    usage: Usage,
    reason: str,
    identity: str | None,
    cost: float | None,
    provider: str | None,
    from_cache: bool,
) -> None:
    result = CallResult.native(response_of(frame, usage, reason, identity), provider=provider)
    result.cost = cost
    plain = plain_outcome(result, call(from_cache=from_cache, provider=provider))
    careful = careful_outcome(result, call(from_cache=from_cache, provider=provider))
    assert plain is None or plain == careful


@pytest.mark.parametrize("name", ["openai_chat", "groq_chat", "mistral_chat", "ollama_openai", "openrouter_chat"])
def test_replies_of_providers_are_read_the_same(name: str) -> None:
    documented = json.loads((REPLIES / f"{name}.json").read_text())
    frame = documented.get("reply", documented)
    usage = Usage(input_tokens=12, output_tokens=3)
    result = CallResult.native(response_of(frame, usage), provider="openai")
    plain = plain_outcome(result, call())
    assert plain is None or plain == careful_outcome(result, call())


ORDINARY = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Here."}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 812,
        "completion_tokens": 64,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
}


@pytest.mark.parametrize("from_cache", [False, True])
def test_an_ordinary_reply_goes_the_short_way(from_cache: bool) -> None:
    result = CallResult.native(response_of(ORDINARY, Usage(input_tokens=812, output_tokens=64)), provider="openai")
    result.cost = 0.0003
    plain = plain_outcome(result, call(from_cache=from_cache))
    assert plain is not None
    assert (
        plain
        == careful_outcome(result, call(from_cache=from_cache))
        == outcome_of_call_result(result, call(from_cache=from_cache))
    )
    assert (plain.response_model, plain.finish_reasons) == ("gpt-4o-mini-2024-07-18", ["stop"])


def changed(*path: Any, to: Any) -> dict[str, Any]:
    frame = copy.deepcopy(ORDINARY)
    place: Any = frame
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return frame


@pytest.mark.parametrize(
    "frame",
    [
        changed("service_tier", to="priority"),
        changed("usage", "service_tier", to="batch"),
        changed("usage", "prompt_tokens_details", "cached_tokens", to=800),
        changed("choices", 0, "finish_reason", to=None),
        changed("choices", to=[]),
        changed("usageMetadata", to={}),
        changed("_hidden_params", to={}),
    ],
)
def test_what_is_not_plain_goes_the_careful_way(frame: dict[str, Any]) -> None:
    result = CallResult.native(response_of(frame, Usage(input_tokens=812, output_tokens=64)), provider="openai")
    assert plain_outcome(result, call()) is None
    assert outcome_of_call_result(result, call()) == careful_outcome(result, call())
