"""Provider, model and server address of a language model, in the conventions' words."""

from __future__ import annotations

import pytest

from opentelemetry.instrumentation.dspy.language_models.providers import (
    ModelIdentity,
    ServerAddress,
    identify,
    server_address,
)


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("openai/gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("gemini/gemini-2.5-flash", "gcp.gemini", "gemini-2.5-flash"),
        ("vertex_ai/gemini-2.5-pro", "gcp.vertex_ai", "gemini-2.5-pro"),
        ("bedrock/anthropic.claude-v2:1", "aws.bedrock", "anthropic.claude-v2:1"),
        ("azure/my-deployment", "azure.ai.openai", "my-deployment"),
        ("azure_ai/mistral-large", "azure.ai.inference", "mistral-large"),
        ("mistral/mistral-small", "mistral_ai", "mistral-small"),
        ("xai/grok-4", "x_ai", "grok-4"),
        ("watsonx/ibm/granite-13b", "ibm.watsonx.ai", "ibm/granite-13b"),
        ("moonshot/kimi-k2", "moonshot_ai", "kimi-k2"),
        ("deepseek/deepseek-chat", "deepseek", "deepseek-chat"),
        ("groq/llama-3.3-70b", "groq", "llama-3.3-70b"),
        ("cohere/command-r", "cohere", "command-r"),
        ("perplexity/sonar", "perplexity", "sonar"),
        ("text-completion-openai/gpt-3.5-turbo-instruct", "openai", "gpt-3.5-turbo-instruct"),
        ("openrouter/openai/gpt-4o", "openrouter", "openai/gpt-4o"),
        ("ollama_chat/llama3.2:1b", "ollama", "llama3.2:1b"),
        ("GEMINI/gemini-2.5-flash", "gcp.gemini", "gemini-2.5-flash"),
        ("gpt-4o", "openai", "gpt-4o"),
        ("claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("openai/", "openai", "openai/"),
        ("", "openai", ""),
    ],
)
def test_a_model_string_of_dspy_is_split_into_provider_and_model(model: str, provider: str, name: str) -> None:
    assert identify(model, None) == ModelIdentity(provider, name)


def test_a_language_model_of_another_kind_is_its_own_provider_unless_it_names_one() -> None:
    assert identify("dummy", "DummyLM") == ModelIdentity("DummyLM", "dummy")
    assert identify("meta-llama/Llama-3.1-8B", "LocalLM") == ModelIdentity("LocalLM", "meta-llama/Llama-3.1-8B")
    assert identify("openai/gpt-4o", "ProxyLM") == ModelIdentity("openai", "gpt-4o")


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://127.0.0.1:8000/v1", "127.0.0.1", 8000),
        ("https://api.openai.com/v1", "api.openai.com", 443),
        ("http://models.internal", "models.internal", 80),
        ("localhost:11434", "localhost", 11434),
        ("http://[::1]:8080/v1", "::1", 8080),
        ("https://user:password@models.internal/v1", "models.internal", 443),
        ("models.internal", "models.internal", None),
        ("http://[fe80::1%25eth0]:8080/v1", "fe80::1%25eth0", 8080),
    ],
)
def test_host_and_port_are_read_from_an_endpoint(url: str, host: str, port: int | None) -> None:
    assert server_address(url) == ServerAddress(host, port)


@pytest.mark.parametrize(
    "url",
    [
        *("", "http://", "http://host:port/v1", "http://[::1/v1", "no address", "Bearer sk/1", "http://a key, here/v1"),
        *("http://somebody%3Apassword%40models.internal/v1", "http://ab%40models.internal/v1"),
    ],
)
def test_what_is_no_endpoint_has_no_address(url: str) -> None:
    assert server_address(url) is None
