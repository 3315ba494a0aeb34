"""Provider, model and server address of a language model, in the conventions' words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GenAiProviderNameValues
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT

from ..encodable import encodable
from ..reading import is_kind, read, text_of_name

__all__ = [
    "ModelIdentity",
    "ServerAddress",
    "identify",
    "identity_of",
    "model_text",
    "openai_api_of",
    "own_provider",
    "response_model",
    "server_address",
    "server_of",
]

_CONVENTION_NAMES = {
    "anthropic_text": GenAiProviderNameValues.ANTHROPIC.value,
    "aws": GenAiProviderNameValues.AWS_BEDROCK.value,
    "aws-anthropic": GenAiProviderNameValues.AWS_BEDROCK.value,
    "azure": GenAiProviderNameValues.AZURE_AI_OPENAI.value,
    "azure_ai": GenAiProviderNameValues.AZURE_AI_INFERENCE.value,
    "azure_text": GenAiProviderNameValues.AZURE_AI_OPENAI.value,
    "bedrock": GenAiProviderNameValues.AWS_BEDROCK.value,
    "bedrock-anthropic": GenAiProviderNameValues.AWS_BEDROCK.value,
    "bedrock_converse": GenAiProviderNameValues.AWS_BEDROCK.value,
    "cohere_chat": GenAiProviderNameValues.COHERE.value,
    "gemini": GenAiProviderNameValues.GCP_GEMINI.value,
    "mistral": GenAiProviderNameValues.MISTRAL_AI.value,
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
    "ollama_chat": "ollama",
    "openai-chat": GenAiProviderNameValues.OPENAI.value,
    "text-completion-openai": GenAiProviderNameValues.OPENAI.value,
    "vertex": GenAiProviderNameValues.GCP_VERTEX_AI.value,
    "vertex-anthropic": GenAiProviderNameValues.GCP_VERTEX_AI.value,
    "vertex-express": GenAiProviderNameValues.GCP_VERTEX_AI.value,
    "vertex_ai": GenAiProviderNameValues.GCP_VERTEX_AI.value,
    "vertex_ai_beta": GenAiProviderNameValues.GCP_VERTEX_AI.value,
    "watsonx": GenAiProviderNameValues.IBM_WATSONX_AI.value,
    "watsonx_text": GenAiProviderNameValues.IBM_WATSONX_AI.value,
    "xai": GenAiProviderNameValues.X_AI.value,
}
"""The first part of a DSPy or LiteLLM model string, where the conventions' provider name is another word."""

_KNOWN_NAMES = {value.value for value in GenAiProviderNameValues} | set(_CONVENTION_NAMES)

_NATIVE_NAMES = _KNOWN_NAMES | {"meta", "ollama", "openrouter", "sglang", "typesafe", "vllm", "zai"}
"""Where DSPy's own client knows the model ``provider:model``; a colon in other names is one of the name."""

_MODEL_FAMILIES = (
    ("claude", GenAiProviderNameValues.ANTHROPIC.value),
    ("gemini", GenAiProviderNameValues.GCP_GEMINI.value),
    ("gemma", GenAiProviderNameValues.GCP_GEMINI.value),
    ("grok", GenAiProviderNameValues.X_AI.value),
    ("deepseek", GenAiProviderNameValues.DEEPSEEK.value),
    ("mistral", GenAiProviderNameValues.MISTRAL_AI.value),
    ("command", GenAiProviderNameValues.COHERE.value),
    ("jev", "typesafe"),
)
"""How ``dspy.LM`` takes a model name without a provider, beside OpenAI's."""

_DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"[\w.-]+|[\da-f.]*:[\da-f.:]*(?:%[\w.-]+)?", re.IGNORECASE)
"""A name, or an address of IP with its zone; a percent sign elsewhere may encode the sign between password and host."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Who serves a model, and what it is called there."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Host and port of a provider's endpoint."""

    host: str
    port: int | None

    @property
    def attributes(self) -> dict[str, str | int]:
        """The same as attributes of spans and points."""
        return {SERVER_ADDRESS: self.host} if self.port is None else {SERVER_ADDRESS: self.host, SERVER_PORT: self.port}


@lru_cache(maxsize=1024)
def identify(model: str, own_provider: str | None) -> ModelIdentity:
    """Split a model string such as ``gemini/gemini-2.5-flash`` into provider and model.

    ``own_provider`` is ``None`` for ``dspy.LM``, whose strings begin with the provider, or name one of OpenAI's models
    (or of another well-known family). A class of another kind says who it is itself: for it a first part counts only
    if it is a provider that is known, since ``meta-llama/Llama-3.1-8B`` begins with none.
    """
    prefix, separator, name = model.partition(":")
    if not name or own_provider is not None or prefix.lower() not in _NATIVE_NAMES:
        prefix, separator, name = model.partition("/")
    if separator and name and (own_provider is None or prefix.lower() in _KNOWN_NAMES):
        return ModelIdentity(_CONVENTION_NAMES.get(prefix.lower(), prefix), name)
    if own_provider is not None:
        return ModelIdentity(own_provider, model)
    family = next((provider for start, provider in _MODEL_FAMILIES if model.lower().startswith(start)), None)
    return ModelIdentity(family or GenAiProviderNameValues.OPENAI.value, model)


def identity_of(language_model: Any) -> ModelIdentity:
    """Return provider and model of a language model; one whose ``model`` is no text is named after its class."""
    provider = own_provider(language_model)
    if provider is None and text_of_name(read(language_model, "model")) is None:
        provider = type(language_model).__name__
    return identify(model_text(language_model), provider)


def model_text(language_model: Any) -> str:
    """Return the model string of a language model, the name of its class where it has none."""
    return text_of_name(read(language_model, "model")) or type(language_model).__name__


def own_provider(language_model: Any) -> str | None:
    """Return the provider that a language model is itself; ``None`` where its model string names one.

    ``dspy.LM`` is none itself, unless it was given an engine: that knows better what a model name without provider is.
    """
    for ancestor in type(language_model).__mro__:
        if ancestor.__module__.partition(".")[0] == "dspy":
            if ancestor.__name__ != "LM":
                name = type(language_model).__name__ if ancestor.__name__ == "BaseLM" else ancestor.__name__
                return _CLIENT_NAMES.get(name, name)
            engine = read(language_model, "_engine_spec", "auto")
            if isinstance(engine, str) or "/" in model_text(language_model):
                return None
            provider = text_of_name(read(engine, "provider"))
            return type(engine).__name__ if provider is None else _CONVENTION_NAMES.get(provider, provider)
    return type(language_model).__name__


_OPENAI_APIS = {"chat": "chat_completions", "responses": "responses"}
"""DSPy's ``model_type`` in the conventions' words; for completions of texts they have none."""


def openai_api_of(language_model: Any, provider: str) -> str | None:
    """Return which API of OpenAI a ``dspy.LM`` asks, as its ``model_type`` says.

    ``None`` for other providers, for language models that are none of DSPy's, and where an engine may ask any.
    """
    if provider != GenAiProviderNameValues.OPENAI.value or own_provider(language_model) is not None:
        return None
    if not isinstance(read(language_model, "_engine_spec", "auto"), str):
        return None
    return _OPENAI_APIS.get(text_of_name(read(language_model, "model_type")) or "")


_CLIENT_NAMES = {"TypeSafe": "typesafe"}
"""Clients of DSPy's own that are named after their provider."""


def prefix_of(model: str) -> str:
    """Return what LiteLLM puts before the names of some models that answer: the provider in DSPy's text."""
    prefix, separator, _ = model.partition("/")
    return prefix + separator if separator else ""


def response_model(name: str | None, prefix: str) -> str | None:
    """Return the name under which a model answered, given that in the reply and ``prefix_of`` the model."""
    return name.removeprefix(prefix) if name is not None else None


def server_of(*endpoints: Any) -> ServerAddress | None:
    """Return host and port of the first endpoint that is given, a text or an object that stands for a URL."""
    for endpoint in endpoints:
        if is_kind(endpoint, str):
            if len(endpoint):
                return server_address(encodable(endpoint))
        elif endpoint is not None:
            try:
                text = str(endpoint)
            except Exception:  # noqa: BLE001 - an object of the application's
                continue
            if "://" in text:
                return server_address(encodable(text))
    return None


@lru_cache(maxsize=1024)
def server_address(url: str) -> ServerAddress | None:
    """Return host and port of an endpoint, ``None`` where the text is not a URL with a host."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        # What has a space or the like where a host should be is no address, and may be anything.
        if not parts.hostname or not _HOST.fullmatch(parts.hostname):
            return None
        return ServerAddress(parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme))
    except ValueError:
        return None
