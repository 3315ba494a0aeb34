"""Who answers: provider, model and address of a call, as far as the model's name or DSPy's own client tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.clients.engines.litellm_engine import LiteLLMEngine
from dspy.clients.engines.lm15_engine import LM15Engine
from dspy.experimental import TypeSafe
from dspy.lm15 import AnthropicLM, RouterConfig
from provider_server import ProviderServer, reply_body

from opentelemetry.instrumentation.dspy.language_models.native_engine import engine_provider, route_of
from opentelemetry.instrumentation.dspy.language_models.providers import (
    identify,
    own_provider,
    prefix_of,
    response_model,
)

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded


class Parrot:
    """An engine of the application."""

    def complete(self, request: Any) -> Any:
        raise AssertionError("nobody asks it")


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("anthropic:claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("openai:gpt-4o", "openai", "gpt-4o"),
        ("openai-chat:gpt-4o", "openai", "gpt-4o"),
        ("vertex:gemini-2.5-flash", "gcp.vertex_ai", "gemini-2.5-flash"),
        ("bedrock-anthropic:claude-sonnet-4-5", "aws.bedrock", "claude-sonnet-4-5"),
        ("openrouter:anthropic/claude-sonnet-4-5", "openrouter", "anthropic/claude-sonnet-4-5"),
        ("ollama:llama3:8b", "ollama", "llama3:8b"),
        ("ollama/llama3:8b", "ollama", "llama3:8b"),
        ("gpt-4o:ours", "openai", "gpt-4o:ours"),
        ("jev-latest", "typesafe", "jev-latest"),
        ("gemma-3-27b-it", "gcp.gemini", "gemma-3-27b-it"),
    ],
)
def test_the_names_of_dspys_own_client_are_split_like_litellms(model: str, provider: str, name: str) -> None:
    identity = identify(model, None)
    assert (identity.provider, identity.model) == (provider, name)


@pytest.mark.parametrize(
    ("language_model", "expected"),
    [
        (lambda: dspy.LM("gpt-4o-mini"), None),
        (lambda: dspy.LM("polly", engine=Parrot()), "Parrot"),
        (lambda: dspy.LM("openai/polly", engine=Parrot()), None),
        (lambda: dspy.LM("claude", engine=AnthropicLM(api_key="k")), "anthropic"),
        (lambda: dspy.utils.DummyLM([]), "DummyLM"),
        (lambda: type("OurLM", (dspy.LM,), {})("gpt-4o-mini"), None),
        (lambda: type("OurLM", (dspy.BaseLM,), {})("gpt-4o-mini"), "OurLM"),
        (TypeSafe, "typesafe"),
    ],
)
def test_what_is_its_own_provider_says_so(language_model: Any, expected: str | None) -> None:
    assert own_provider(language_model()) == expected


@pytest.mark.parametrize(
    ("name", "model", "expected"),
    [
        ("gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("ollama_chat/llama3", "ollama_chat/llama3", "llama3"),
        ("anthropic/claude-3", "openrouter/anthropic/claude-3", "anthropic/claude-3"),
        ("llama3", "llama3", "llama3"),
        (None, "openai/gpt-4o-mini", None),
    ],
)
def test_litellms_prefix_is_no_part_of_the_name_of_a_model(name: str | None, model: str, expected: str | None) -> None:
    assert response_model(name, prefix_of(model)) == expected


@pytest.mark.parametrize(
    ("model", "provider", "endpoint"),
    [
        ("openai/gpt-4o", "openai-chat", "https://api.openai.com/v1"),
        ("anthropic/claude-sonnet-4-5", "anthropic", "https://api.anthropic.com/v1"),
        ("gemini/gemini-2.5-flash", "gemini", "https://generativelanguage.googleapis.com/v1beta"),
        ("groq/llama-3.3-70b-versatile", "groq", "https://api.groq.com/openai/v1"),
        ("openrouter/anthropic/claude-3.5-sonnet", "openrouter", "https://openrouter.ai/api/v1"),
        ("ollama/llama3", "ollama", "http://localhost:11434/v1"),
        ("xai/grok-3", "xai", "https://api.x.ai/v1"),
        # Each customer has an address of their own.
        ("azure/our-deployment", "azure-chat", None),
        ("vertex:gemini-2.5-flash", "vertex", None),
        ("bedrock-anthropic:claude-sonnet-4-5", "bedrock-anthropic", None),
    ],
)
def test_the_address_of_a_provider_is_the_one_that_dspys_client_knows(
    model: str, provider: str, endpoint: str | None
) -> None:
    engine = LM15Engine(RouterConfig())
    assert engine.resolve(model).provider == provider
    assert route_of(engine, provider, model).endpoint == endpoint
    assert route_of(engine, None, model).provider == provider


def test_an_address_that_was_given_goes_before_it() -> None:
    engine = LM15Engine(RouterConfig(base_urls={"anthropic": "http://gateway.test:8080"}))
    assert route_of(engine, "anthropic", "anthropic/claude-sonnet-4-5").endpoint == "http://gateway.test:8080"


def test_an_engine_that_is_none_of_dspys_has_no_provider_and_no_address() -> None:
    assert engine_provider(Parrot(), "polly") is None
    assert route_of(Parrot(), None, "polly").endpoint is None
    assert engine_provider(LM15Engine(RouterConfig()), "no-such-family") is None


def test_a_litellm_engine_has_the_address_that_it_was_given() -> None:
    engine = LiteLLMEngine(api_base="http://gateway.test:8080", api_key="k")
    assert route_of(engine, None, "openai/gpt-4o").endpoint == "http://gateway.test:8080"


def test_the_address_of_the_call_goes_before_that_of_the_language_model(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    lm = dspy.LM("openai/gpt-4o-mini", api_base="http://nowhere.test", api_key="test-key", cache=False)
    lm("Where?", api_base=model_server.url)
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert (attributes["server.address"], attributes["server.port"]) == (model_server.host, model_server.port)


def test_base_url_is_an_address_too(telemetry: Recorded, model_server: ModelServer) -> None:
    dspy.LM("openai/gpt-4o-mini", base_url=model_server.url, api_key="test-key", cache=False)("Where?")
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert (attributes["server.address"], attributes["server.port"]) == (model_server.host, model_server.port)


def test_a_call_in_the_form_of_dspys_own_client_names_provider_and_model(telemetry: Recorded) -> None:
    with ProviderServer(reply_body("anthropic_messages")) as server:
        dspy.LM("anthropic:claude-sonnet-4-5", api_base=server.url, api_key="test-key", cache=False)("Where?")
    attributes = telemetry.attributes("chat claude-sonnet-4-5")
    assert attributes["gen_ai.provider.name"] == "anthropic"
    assert attributes["gen_ai.usage.input_tokens"] == 4305


class Ours(dspy.BaseLM):
    """A language model of the application's, named after its class."""

    def __call__(self, *arguments: Any, **options: Any) -> list[str]:
        return ["here"]


class OursToo(Ours):
    """What it may become while it is in use."""


def test_a_language_model_that_becomes_one_of_another_class_is_named_anew(telemetry: Recorded) -> None:
    language_model = Ours(model="small")
    language_model("Where?")
    language_model.__class__ = OursToo
    language_model("Where?")
    named = [span.attributes["gen_ai.provider.name"] for span in telemetry.named("chat small") if span.attributes]
    assert named == ["Ours", "OursToo"]
