"""The library's own options: ``OTEL_INSTRUMENTATION_DSPY_*`` variables and keyword arguments, read once.

Whether content is recorded at all is not decided here: ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` and the
completion hook are the conventions', and ``opentelemetry-util-genai`` reads them.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, get_args

__all__ = [
    "ADAPTER_SPANS",
    "CONSOLE",
    "CONTENT_MAX_LENGTH",
    "CONTENT_SPANS",
    "CONTENT_SPAN_MAX_LENGTH",
    "ERROR_MESSAGES",
    "OPENINFERENCE",
    "OPTIMIZER_TRACES",
    "REDACT",
    "STACK_TRACES",
    "ContentSpans",
    "OptimizerTraces",
    "Options",
    "Redact",
    "console_shows",
]

_logger = logging.getLogger(__name__)

Choice = TypeVar("Choice", bound=str)

Redact: TypeAlias = Callable[[str, str], str]
"""Takes a text and its kind (``input``, ``output``, ``system``, ``tool``, ``error``); returns what to record of it."""

PREFIX = "OTEL_INSTRUMENTATION_DSPY_"

CONTENT_MAX_LENGTH = PREFIX + "CONTENT_MAX_LENGTH"
"""Environment variable: characters that are recorded of each text, a whole number above zero."""

DEFAULT_CONTENT_MAX_LENGTH = 16_384

CONTENT_SPAN_MAX_LENGTH = PREFIX + "CONTENT_SPAN_MAX_LENGTH"
"""Environment variable: characters of content that are recorded on each span, a whole number above zero."""

DEFAULT_CONTENT_SPAN_MAX_LENGTH = 262_144
"""Sixteen texts of the greatest length, and as many such spans in one message of 4 MiB, which is what a Collector takes
over gRPC."""

ContentSpans: TypeAlias = Literal["all", "chat"]
"""Which spans hold content: all of them, or those of language model calls alone, whose prompts hold it once more."""

CONTENT_SPANS = PREFIX + "CONTENT_SPANS"
"""Environment variable: ``all`` or ``chat``."""

DEFAULT_CONTENT_SPANS: ContentSpans = "all"

_CONTENT_SPANS_CHOICES: tuple[ContentSpans, ...] = get_args(ContentSpans)

ADAPTER_SPANS = PREFIX + "ADAPTER_SPANS"
"""Environment variable: ``true`` makes a span of each adapter call, ``false`` does not."""

OptimizerTraces: TypeAlias = Literal["auto", "linked", "nested", "none"]
"""Where the examples of an optimizer run go: to traces of their own, into the run's trace, or nowhere.

``auto``: those of the first trials into the run's trace, as many as a page can open; then to traces of their own.
"""

OPTIMIZER_TRACES = PREFIX + "OPTIMIZER_TRACES"
"""Environment variable: ``auto``, ``linked``, ``nested`` or ``none``."""

DEFAULT_OPTIMIZER_TRACES: OptimizerTraces = "auto"

_OPTIMIZER_TRACES_CHOICES: tuple[OptimizerTraces, ...] = get_args(OptimizerTraces)

ERROR_MESSAGES = PREFIX + "ERROR_MESSAGES"
"""Environment variable: ``false`` leaves the texts of exceptions out; their types are told all the same."""

OPENINFERENCE = PREFIX + "OPENINFERENCE"
"""Environment variable: ``true`` adds the words of OpenInference to every span, for Phoenix, Arize and MLflow."""

STACK_TRACES = PREFIX + "STACK_TRACES"
"""Environment variable: ``false`` leaves out the events that tell where an exception came up."""

REDACT = PREFIX + "REDACT"
"""Environment variable: ``package.module:function``, a function that sees each text before it is recorded."""

CONSOLE = PREFIX + "CONSOLE"
"""Environment variable: what the exporter ``dspy_console`` prints. ``tree`` prints the spans; ``content`` prompts,
replies and values below them; ``all`` the examples of evaluations that passed, too. Several go with commas."""

DEFAULT_CONSOLE = "tree"

_CONSOLE_CHOICES = ("tree", "content", "all")

_KNOWN = (
    ADAPTER_SPANS,
    CONSOLE,
    CONTENT_MAX_LENGTH,
    CONTENT_SPANS,
    CONTENT_SPAN_MAX_LENGTH,
    ERROR_MESSAGES,
    OPENINFERENCE,
    OPTIMIZER_TRACES,
    REDACT,
    STACK_TRACES,
)


@dataclass(frozen=True, slots=True)
class Options:
    """How the instrumentation behaves."""

    content_max_length: int = DEFAULT_CONTENT_MAX_LENGTH
    """Characters that are recorded of each text."""
    content_span_max_length: int = DEFAULT_CONTENT_SPAN_MAX_LENGTH
    """Characters of content that are recorded on each span."""
    content_spans: ContentSpans = DEFAULT_CONTENT_SPANS
    """Which spans hold content."""
    optimizer_traces: OptimizerTraces = DEFAULT_OPTIMIZER_TRACES
    """Where the examples of an optimizer run go."""
    adapter_spans: bool = False
    """Whether each adapter call has a span of its own."""
    error_messages: bool = True
    """Whether spans tell the texts of exceptions, and not their types alone."""
    openinference: bool = False
    """Whether spans say what they tell in OpenInference's words too."""
    stack_traces: bool = True
    """Whether the span that an exception ended first, and a log event, tell its stack."""
    redact: Redact | None = None
    """Called with every text and its kind before it is recorded."""
    redact_name: str | None = None
    """``package.module:function`` of such a function, to be looked up when it is needed."""

    @classmethod
    def read(
        cls,
        *,
        redact: Redact | None = None,
        openinference: bool | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Options:
        """Read the options; whatever is wrong with a variable is logged, and its default is used.

        What is given as an argument goes before what the environment says.
        """
        variables = os.environ if environment is None else environment
        _warn_about_unknown_names(variables)
        return cls(
            content_max_length=_length(variables, CONTENT_MAX_LENGTH, DEFAULT_CONTENT_MAX_LENGTH),
            content_span_max_length=_length(variables, CONTENT_SPAN_MAX_LENGTH, DEFAULT_CONTENT_SPAN_MAX_LENGTH),
            content_spans=_choice(variables, CONTENT_SPANS, _CONTENT_SPANS_CHOICES, DEFAULT_CONTENT_SPANS),
            optimizer_traces=_choice(variables, OPTIMIZER_TRACES, _OPTIMIZER_TRACES_CHOICES, DEFAULT_OPTIMIZER_TRACES),
            adapter_spans=_switch(variables, ADAPTER_SPANS),
            error_messages=_switch(variables, ERROR_MESSAGES, default=True),
            openinference=_switch(variables, OPENINFERENCE) if openinference is None else openinference,
            stack_traces=_switch(variables, STACK_TRACES, default=True),
            redact=redact,
            redact_name=variables.get(REDACT, "").strip() or None,
        )


def _length(variables: Mapping[str, str], name: str, default: int) -> int:
    text = variables.get(name, "").strip()
    if not text:
        return default
    # Python refuses to read a number of thousands of digits.
    if text.isdecimal() and len(text) < 19 and int(text) > 0:
        return int(text)
    _logger.warning(
        "%s=%r is not valid: it takes a whole number of characters above zero. The default, %d, is used.",
        name,
        text,
        default,
    )
    return default


def _choice(variables: Mapping[str, str], name: str, choices: tuple[Choice, ...], default: Choice) -> Choice:
    text = variables.get(name, "").strip().lower()
    if not text:
        return default
    for choice in choices:
        if text == choice:
            return choice
    _logger.warning(
        "%s=%r is not valid: it takes one of %s. The default, %s, is used.",
        name,
        text,
        ", ".join(choices),
        default,
    )
    return default


def console_shows(environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """Return which of ``tree``, ``content`` and ``all`` ``dspy_console`` is to print; what is wrong is logged."""
    text = (os.environ if environment is None else environment).get(CONSOLE, "").strip()
    shown = frozenset(choice.strip().lower() for choice in text.split(",") if choice.strip())
    if shown <= set(_CONSOLE_CHOICES):
        return shown or frozenset({DEFAULT_CONSOLE})
    _logger.warning(
        "%s=%r is not valid: it takes one of %s, or several with commas. The default, %s, is used.",
        CONSOLE,
        text,
        ", ".join(_CONSOLE_CHOICES),
        DEFAULT_CONSOLE,
    )
    return frozenset({DEFAULT_CONSOLE})


def _switch(variables: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    text = variables.get(name, "").strip().lower()
    if text in ("true", "false"):
        return text == "true"
    if text:
        used = "true" if default else "false"
        _logger.warning("%s=%r is not valid: it takes true or false. The default, %s, is used.", name, text, used)
    return default


def _warn_about_unknown_names(variables: Mapping[str, str]) -> None:
    for name in sorted(variables):
        if not name.startswith(PREFIX) or name in _KNOWN:
            continue
        close = difflib.get_close_matches(name[len(PREFIX) :], [known[len(PREFIX) :] for known in _KNOWN], n=1)
        _logger.warning(
            "%s is not an option of opentelemetry-instrumentation-dspy and has no effect.%s Its options: %s.",
            name,
            f" Did you mean {PREFIX}{close[0]}?" if close else "",
            ", ".join(_KNOWN),
        )
