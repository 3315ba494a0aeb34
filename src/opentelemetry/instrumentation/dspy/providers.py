"""Provider, model and server address of a language model, in the conventions' words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GenAiProviderNameValues

__all__ = ["ModelIdentity", "ServerAddress", "identify", "server_address"]

_CONVENTION_NAMES = {
    "azure": GenAiProviderNameValues.AZURE_AI_OPENAI.value,
    "azure_ai": GenAiProviderNameValues.AZURE_AI_INFERENCE.value,
    "bedrock": GenAiProviderNameValues.AWS_BEDROCK.value,
    "gemini": GenAiProviderNameValues.GCP_GEMINI.value,
    "mistral": GenAiProviderNameValues.MISTRAL_AI.value,
    "moonshot": "moonshot_ai",
    "text-completion-openai": GenAiProviderNameValues.OPENAI.value,
    "vertex": GenAiProviderNameValues.GCP_VERTEX_AI.value,
    "vertex_ai": GenAiProviderNameValues.GCP_VERTEX_AI.value,
    "watsonx": GenAiProviderNameValues.IBM_WATSONX_AI.value,
    "xai": GenAiProviderNameValues.X_AI.value,
}
"""The first part of a DSPy model string, where the conventions' provider name is another word."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


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


@lru_cache(maxsize=1024)
def identify(model: str, default_provider: str) -> ModelIdentity:
    """Split a DSPy model string such as ``gemini/gemini-2.5-flash``.

    ``default_provider`` is the provider of a string without a prefix. Names follow ``gen_ai.provider.name`` of the
    GenAI conventions where they have a value, and the prefix itself where they have none.
    """
    prefix, separator, name = model.partition("/")
    if not separator or not name:
        return ModelIdentity(default_provider, model)
    return ModelIdentity(_CONVENTION_NAMES.get(prefix.lower(), prefix), name)


@lru_cache(maxsize=1024)
def server_address(url: str) -> ServerAddress | None:
    """Return host and port of an endpoint, ``None`` where the text is not a URL with a host."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        if not parts.hostname:
            return None
        return ServerAddress(parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme))
    except ValueError:
        return None
