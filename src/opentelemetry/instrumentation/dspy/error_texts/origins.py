"""Whose words an exception's text is: the application's, a library's that quotes what it was given, or a provider's."""

from __future__ import annotations

import re
from types import CodeType
from typing import TYPE_CHECKING

from .tracebacks import innermost_frame, own, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chain_of", "is_from_library", "is_from_provider", "library_frames", "literals_of"]

_LIBRARIES = frozenset(
    [
        "ast",
        "asyncio",
        "attr",
        "attrs",
        "cloudpickle",
        "concurrent",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "dspy",
        "enum",
        "fastmcp",
        "inspect",
        "json",
        "json_repair",
        "jsonschema",
        "langchain_core",
        "mcp",
        "numpy",
        "orjson",
        "pickle",
        "pydantic",
        "pydantic_core",
        "referencing",
        "tenacity",
        "tomllib",
        "typing",
        "typing_extensions",
        "urllib",
        "xml",
        "yaml",
    ]
)
"""Packages that put the values they were given into their messages."""

_PROVIDERS = frozenset(
    [
        "aiohttp",
        "anthropic",
        "azure",
        "botocore",
        "cohere",
        "google",
        "groq",
        "grpc",
        "http",
        "httpcore",
        "httpx",
        "litellm",
        "mistralai",
        "ollama",
        "openai",
        "requests",
        "socket",
        "ssl",
        "urllib3",
        "websockets",
    ]
)
"""Packages whose messages are those of a server, or of the way to it."""

_LM_ERROR = re.compile(r"^(?:LM|LM15|LiteLLM|ContextWindow|Provider|Transport|Auth|RateLimit)\w*(?:Error)?$")

_PLACEHOLDER = re.compile(r"%[-#0 +]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]|\{[^{}]*\}")

_WORDS = re.compile(r"[A-Za-z]{2,}")

MAX_CAUSES = 64
"""Exceptions that led to one that are looked at: what is raised again and again in a handler has any number."""


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that led to it."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen and len(seen) < MAX_CAUSES:
        seen.add(id(cause))
        yield cause
        explicit: BaseException | None = own(cause, "__cause__")
        cause = own(cause, "__context__") if explicit is None else explicit


def is_from_provider(error: BaseException) -> bool:
    """Return whether a text is that of a server or of the way to it: LiteLLM's, a provider's, DSPy's ``LMError``."""
    for ancestor in type(error).__mro__:
        package = str(ancestor.__module__).partition(".")[0]
        if package in _PROVIDERS:
            return True
        if package == "dspy" and _LM_ERROR.match(ancestor.__name__):
            return True
    return isinstance(error, OSError)


def is_from_library(error: BaseException) -> bool:
    """Return whether a text was written by a library: its own class of exception, or raised in its own code."""
    if str(type(error).__module__).partition(".")[0] in _LIBRARIES:
        return True
    frame = innermost_frame(error)
    if frame is None:
        # Nobody knows who raised what has come too long a way; one that was never raised came none.
        return error.__traceback__ is not None
    return _package(frame.f_globals) in _LIBRARIES


def library_frames(error: BaseException) -> list[CodeType]:
    """Return the code of a library that an exception came through, the innermost last, each once."""
    frames = [step.tb_frame for step in steps_of(error)]
    codes = [frame.f_code for frame in reversed(frames) if _package(frame.f_globals) in _LIBRARIES]
    return [*reversed({id(code): code for code in codes}.values())]


def literals_of(code: CodeType) -> Iterator[str]:
    """Yield the texts that stand in the code itself: all else in its messages was filled in."""
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield from (piece for piece in _PLACEHOLDER.split(constant) if _WORDS.search(piece))
        elif isinstance(constant, CodeType):
            yield from literals_of(constant)


def _package(namespace: dict[str, object]) -> str:
    return str(namespace.get("__name__") or "").partition(".")[0]
