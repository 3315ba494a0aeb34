"""The providers' own reply bodies: each shape of usage comes out in the conventions' meaning, on both engines.

Input includes cached tokens, output includes reasoning, whatever the provider adds up and whoever reads the reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import RESPONSES, SAVED_TOKENS
from provider_server import ProviderServer, reply_body

if TYPE_CHECKING:
    from recorded import Recorded

SPLITS = (".text.", ".image.", ".audio.")
"""Parts of the names of the counts by modality."""


@dataclass(frozen=True, slots=True)
class Case:
    """A documented reply, and what it means."""

    model: str
    reply: str
    path: str
    """What the provider's base address ends with."""
    provider: str
    tokens: dict[str, int]
    """Under ``gen_ai.usage.``; all of them but the counts by modality."""
    splits: dict[str, int] = field(default_factory=dict)
    """By modality, where DSPy's own client has read the reply."""
    litellm_splits: dict[str, int] = field(default_factory=dict)
    """By modality, as far as LiteLLM hands them on."""
    response_model: str = ""
    finish_reason: str = "stop"
    cost: float | None = None
    """The price, if the reply names it."""
    headers: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case(
        "openai/gpt-4o-audio-preview",
        "openai_chat",
        "/v1",
        "openai",
        {"input_tokens": 1200, "cache_read.input_tokens": 1024, "output_tokens": 340, "reasoning.output_tokens": 256},
        splits={"audio.input_tokens": 90, "audio.output_tokens": 40},
        litellm_splits={"audio.input_tokens": 90, "audio.output_tokens": 40},
        response_model="gpt-4o-audio-preview-2025-06-03",
    ),
    Case(
        "openai/gpt-4.1",
        "openai_responses",
        "/v1",
        "openai",
        {"input_tokens": 328, "cache_read.input_tokens": 256, "output_tokens": 87, "reasoning.output_tokens": 64},
        response_model="gpt-4.1-2025-04-14",
        settings={"model_type": "responses"},
    ),
    Case(
        "openai/gpt-4.1",
        "openai_responses_cut",
        "/v1",
        "openai",
        {"input_tokens": 30, "output_tokens": 16},
        response_model="gpt-4.1-2025-04-14",
        finish_reason="length",
        settings={"model_type": "responses"},
    ),
    Case(
        # Anthropic counts what it read from its cache and wrote to it apart from the input: 21 + 188 + 4096.
        "anthropic/claude-sonnet-4-5",
        "anthropic_messages",
        "",
        "anthropic",
        {
            "input_tokens": 4305,
            "cache_read.input_tokens": 4096,
            "cache_write.input_tokens": 188,
            "output_tokens": 393,
        },
        litellm_splits={"text.output_tokens": 393},
        response_model="claude-sonnet-4-5-20250929",
    ),
    Case(
        # Gemini counts thoughts apart from the answer: 31 + 250.
        "gemini/gemini-2.5-flash",
        "gemini_generate_content",
        "/v1beta",
        "gcp.gemini",
        {"input_tokens": 2152, "cache_read.input_tokens": 2027, "output_tokens": 281, "reasoning.output_tokens": 250},
        splits={
            "text.input_tokens": 1894,
            "image.input_tokens": 258,
            "text.cache_read.input_tokens": 2027,
            "text.output_tokens": 31,
        },
        litellm_splits={"image.input_tokens": 258, "text.output_tokens": 31},
        response_model="gemini-2.5-flash",
    ),
    Case(
        # xAI counts reasoning apart from the answer: 9 + 94.
        "xai/grok-3-mini",
        "xai_chat",
        "/v1",
        "x_ai",
        {"input_tokens": 32, "cache_read.input_tokens": 6, "output_tokens": 103, "reasoning.output_tokens": 94},
        splits={"text.input_tokens": 32},
        litellm_splits={"text.input_tokens": 32},
        response_model="grok-3-mini",
    ),
    Case(
        "openrouter/anthropic/claude-3.5-sonnet",
        "openrouter_chat",
        "/api/v1",
        "openrouter",
        {"input_tokens": 194, "cache_read.input_tokens": 100, "output_tokens": 52, "reasoning.output_tokens": 12},
        response_model="anthropic/claude-3.5-sonnet",
        cost=0.00095,
    ),
    Case(
        "deepseek/deepseek-reasoner",
        "deepseek_chat",
        "/v1",
        "deepseek",
        {"input_tokens": 116, "cache_read.input_tokens": 64, "output_tokens": 70, "reasoning.output_tokens": 58},
        response_model="deepseek-reasoner",
    ),
    Case(
        "mistral/mistral-small-latest",
        "mistral_chat",
        "/v1",
        "mistral_ai",
        {"input_tokens": 16, "output_tokens": 34},
        response_model="mistral-small-2503",
        finish_reason="length",
    ),
    Case(
        "groq/llama-3.3-70b-versatile",
        "groq_chat",
        "/openai/v1",
        "groq",
        {"input_tokens": 18, "cache_read.input_tokens": 12, "output_tokens": 556},
        response_model="llama-3.3-70b-versatile",
    ),
    Case(
        "perplexity/sonar",
        "perplexity_chat",
        "",
        "perplexity",
        {"input_tokens": 33, "output_tokens": 7},
        response_model="sonar",
        cost=0.00504,
    ),
    Case(
        "azure/my-deployment",
        "azure_chat",
        "",
        "azure.ai.openai",
        {"input_tokens": 58, "output_tokens": 68},
        response_model="gpt-4o-2024-08-06",
        finish_reason="content_filter",
        settings={"api_version": "2024-10-21"},
    ),
    Case(
        "litellm_proxy/team-model",
        "litellm_proxy_chat",
        "",
        "litellm_proxy",
        {"input_tokens": 10, "output_tokens": 4},
        response_model="team-model",
        cost=0.0042,
        headers={"x-litellm-response-cost": "0.0042"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reply)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_a_reply_as_its_provider_documents_it(telemetry: Recorded, engine: dict[str, Any], case: Case) -> None:
    if case.settings.get("model_type") == "responses" and RESPONSES.is_missing():
        return
    with ProviderServer(reply_body(case.reply), headers=case.headers) as server:
        settings = {"api_base": server.url + case.path, "api_key": "test-key", "cache": False, "num_retries": 0}
        language_model = dspy.LM(case.model, **{**settings, **engine, **case.settings})
        language_model("Where?")
        assert len(server.requests) == 1
        address = (server.host, server.port)
    model = case.model.partition("/")[2]
    attributes = telemetry.attributes(f"chat {model}")
    counts = {
        name.removeprefix("gen_ai.usage."): value
        for name, value in attributes.items()
        if name.startswith("gen_ai.usage.") and ".cost." not in name
    }
    splits = {name: counts.pop(name) for name in list(counts) if any(part in f".{name}" for part in SPLITS)}
    assert counts == case.tokens
    is_native = bool(getattr(language_model, "_engine_store", None))
    if is_native:
        assert splits == case.splits
    else:
        # Which LiteLLM tells how much of it is text differs from one release to the next; what it tells is right.
        assert {**splits, **case.litellm_splits} == splits
        assert set(splits.items()) <= {*case.splits.items(), *case.litellm_splits.items()}
    assert attributes["gen_ai.provider.name"] == case.provider
    assert attributes["gen_ai.response.model"] == case.response_model
    assert attributes["gen_ai.response.finish_reasons"] == [case.finish_reason]
    assert (attributes["server.address"], attributes["server.port"]) == address
    assert attributes["gen_ai.usage.cost.currency"] == "USD"
    assert attributes["gen_ai.usage.cost.source"] == ("local" if case.cost is None else "provider")
    price = attributes["gen_ai.usage.cost.amount"]
    assert price == case.cost if case.cost is not None else 0 < price < 0.02
    assert attributes["dspy.cache.hit"] is False
    counted = {
        (point.attributes or {})["gen_ai.token.type"]: point.sum
        for point in telemetry.metric_points("gen_ai.client.token.usage")
    }
    assert counted == {"input": case.tokens["input_tokens"], "output": case.tokens["output_tokens"]}


@pytest.mark.parametrize("reply", ["anthropic_messages", "gemini_generate_content", "xai_chat"])
def test_what_the_cache_saves_is_what_the_provider_had_counted(
    telemetry: Recorded, engine: dict[str, Any], reply: str
) -> None:
    [case] = [case for case in CASES if case.reply == reply]
    with ProviderServer(reply_body(reply)) as server:
        language_model = dspy.LM(case.model, api_base=server.url + case.path, api_key="test-key", **engine)
        language_model("Where?")
        language_model("Where?")
        assert len(server.requests) == 1
    hit = telemetry.spans[1].attributes or {}
    saved = (hit.get("dspy.cache.saved_input_tokens"), hit.get("dspy.cache.saved_output_tokens"))
    counted = (case.tokens["input_tokens"], case.tokens["output_tokens"])
    assert saved == (counted if SAVED_TOKENS.given else (None, None))


def test_a_model_of_ollama_is_the_same_provider_in_both_of_its_protocols(
    telemetry: Recorded, engine: dict[str, Any]
) -> None:
    is_native = engine.get("engine") == "auto"
    with ProviderServer(reply_body("ollama_openai" if is_native else "ollama_chat")) as server:
        dspy.LM("ollama_chat/llama3.2", api_base=server.url, api_key="unused", cache=False, **engine)("Where?")
        assert server.requests[0].path == ("/chat/completions" if is_native else "/api/chat")
    attributes = telemetry.attributes("chat llama3.2")
    assert attributes["gen_ai.provider.name"] == "ollama"
    assert attributes["gen_ai.response.model"] == "llama3.2"
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (26, 282)
