"""Usage in every shape that it comes in: mappings and objects, of each provider's API, complete and not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from opentelemetry.instrumentation.dspy.language_models.token_usage import (
    TokenUsage,
    add_up,
    split_by_modality,
    token_usage,
)

SHAPES: dict[str, tuple[Any, TokenUsage]] = {
    "chat completions": (
        {
            "prompt_tokens": 50,
            "completion_tokens": 20,
            "total_tokens": 70,
            "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 4},
        },
        TokenUsage(50, 20, 30, None, 12, (("audio", 8),), (("audio", 4),)),
    ),
    "the Responses API": (
        {
            "input_tokens": 50,
            "output_tokens": 20,
            "total_tokens": 70,
            "input_tokens_details": {"cached_tokens": 30},
            "output_tokens_details": {"reasoning_tokens": 12},
        },
        TokenUsage(50, 20, 30, None, 12),
    ),
    "Anthropic's own, which counts its cache apart": (
        {"input_tokens": 5, "output_tokens": 20, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 10},
        TokenUsage(45, 20, 30, 10),
    ),
    "Anthropic's own without its cache": (
        {"input_tokens": 5, "output_tokens": 20, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
        TokenUsage(5, 20, 0, 0),
    ),
    "Anthropic's through LiteLLM, which has added them up": (
        {
            "prompt_tokens": 45,
            "completion_tokens": 20,
            "total_tokens": 65,
            "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 30, "cache_creation_tokens": 10, "text_tokens": 5},
        },
        TokenUsage(45, 20, 30, 10),
    ),
    "Anthropic's through an older LiteLLM": (
        {
            "prompt_tokens": 45,
            "completion_tokens": 20,
            "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 10,
        },
        TokenUsage(45, 20, 30, 10),
    ),
    "xAI's own, which counts reasoning apart": (
        {
            "prompt_tokens": 50,
            "completion_tokens": 20,
            "total_tokens": 82,
            "completion_tokens_details": {"reasoning_tokens": 12},
        },
        TokenUsage(50, 32, None, None, 12),
    ),
    "the typed path of DSPy 3.3": (
        SimpleNamespace(
            input_tokens=50, output_tokens=20, cache_read_tokens=30, cache_write_tokens=3, reasoning_tokens=12
        ),
        TokenUsage(50, 20, 30, 3, 12),
    ),
    "an object with nothing in it": (SimpleNamespace(), TokenUsage()),
    "nothing": (None, TokenUsage()),
    "an empty mapping": ({}, TokenUsage()),
    "zeros for a stream that carried none": (
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        TokenUsage(),
    ),
    "input alone": ({"prompt_tokens": 50}, TokenUsage(50)),
    "words instead of numbers": ({"prompt_tokens": "many", "completion_tokens": True}, TokenUsage()),
    "details that are null": (
        {
            "prompt_tokens": 50,
            "completion_tokens": 20,
            "prompt_tokens_details": None,
            "completion_tokens_details": None,
        },
        TokenUsage(50, 20),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_usage_is_read_in_the_conventions_meaning(shape: str) -> None:
    usage, expected = SHAPES[shape]
    assert token_usage(usage) == expected


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"text_tokens": 30, "image_tokens": 20}, (("text", 30), ("image", 20))),
        ({"text_tokens": 30, "image_tokens": 15, "audio_tokens": 5}, (("text", 30), ("image", 15), ("audio", 5))),
        ({"text_tokens": 21, "image_tokens": 20}, (("image", 20),)),
        ({"text_tokens": 0, "image_tokens": 0}, ()),
        ({}, ()),
    ],
)
def test_text_is_told_apart_only_where_it_is_all_the_text(details: dict[str, int], expected: Any) -> None:
    usage = {"prompt_tokens": 50, "completion_tokens": 1, "prompt_tokens_details": details}
    assert token_usage(usage).input_by_modality == expected


def test_geminis_own_lists_of_modalities_are_read() -> None:
    usage = TokenUsage(300, 90, 40, None, 60)
    split_by_modality(
        usage,
        {
            "usageMetadata": {
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 100},
                    {"modality": "IMAGE", "tokenCount": 200},
                ],
                "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}, {"modality": "TEXT"}],
                "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
            }
        },
    )
    assert usage == TokenUsage(
        300, 90, 40, None, 60, (("text", 100), ("image", 200)), (("audio", 30),), (("text", 40),)
    )


@pytest.mark.parametrize("reply", [None, {}, {"usage": None}, {"usageMetadata": {"promptTokensDetails": None}}, "text"])
def test_a_reply_that_tells_no_modalities_changes_no_count(reply: Any) -> None:
    usage = TokenUsage(300, 90, 40)
    split_by_modality(usage, reply)
    assert usage == TokenUsage(300, 90, 40)


def test_sums_leave_out_what_is_not_known() -> None:
    known = [TokenUsage(10, 5, 4, None, 2), TokenUsage(1, 1)]
    assert add_up([*known, TokenUsage()]) == TokenUsage(11, 6, 4, None, 2)
    assert add_up([TokenUsage(None, 5), TokenUsage(None, 1)]) == TokenUsage(None, 6)
    assert add_up([TokenUsage(), TokenUsage()]) == TokenUsage()
    assert add_up([]) == TokenUsage()
