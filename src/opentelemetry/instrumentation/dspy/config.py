"""The library's own options: ``OTEL_INSTRUMENTATION_DSPY_*`` variables and keyword arguments, read once.

Whether content is recorded at all is not decided here: ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` and the
completion hook are the conventions', and ``opentelemetry-util-genai`` reads them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from .labels.baggage_names import baggage_names_of
from .language_models.own_prices import OwnPrices
from .language_models.price_files import PriceFileError
from .option_names import warn_of_unknown_names
from .propagation.hosts import NO_HOSTS, NamedHosts, Propagate, hosts_of
from .variables import choice_in, log_invalid, switch_in, whole_number_in

if TYPE_CHECKING:
    from .language_models.own_prices import Prices

__all__ = [
    "ADAPTER_SPANS",
    "BAGGAGE",
    "BAGGAGE_METRICS",
    "BUDGET_USD",
    "CONSOLE",
    "CONTENT_MAX_LENGTH",
    "CONTENT_SPANS",
    "CONTENT_SPAN_MAX_LENGTH",
    "ERROR_MESSAGES",
    "METRIC_VALUES",
    "NOTICES",
    "OPENINFERENCE",
    "OPTIMIZER_TRACES",
    "OPTIONS",
    "PRICES",
    "PROPAGATE",
    "REDACT",
    "STACK_TRACES",
    "ContentSpans",
    "OptimizerTraces",
    "Options",
    "Redact",
    "console_shows",
]

_logger = logging.getLogger(__name__)

Redact: TypeAlias = Callable[[str, str], str]
"""Takes a text and its kind (``input``, ``output``, ``system``, ``tool``, ``error``); returns what to record of it."""

PREFIX = "OTEL_INSTRUMENTATION_DSPY_"

CONTENT_MAX_LENGTH = PREFIX + "CONTENT_MAX_LENGTH"
"""Environment variable: characters that are recorded of each text of content."""

DEFAULT_CONTENT_MAX_LENGTH = 16_384

CONTENT_SPAN_MAX_LENGTH = PREFIX + "CONTENT_SPAN_MAX_LENGTH"
"""Environment variable: characters of content that are recorded on each span."""

DEFAULT_CONTENT_SPAN_MAX_LENGTH = 262_144
"""Sixteen texts of the greatest length, and as many such spans in one message of 4 MiB, which is what a Collector takes
over gRPC."""

ContentSpans: TypeAlias = Literal["all", "chat"]
"""Which spans hold content: all of them, or those of language model calls alone, whose prompts hold it once more."""

CONTENT_SPANS = PREFIX + "CONTENT_SPANS"
"""Environment variable: which spans hold content, where it is on. ``chat``: those of language model calls alone, whose
prompts hold what the others would say once more."""

DEFAULT_CONTENT_SPANS: ContentSpans = "all"

_CONTENT_SPANS_CHOICES: tuple[ContentSpans, ...] = get_args(ContentSpans)

ADAPTER_SPANS = PREFIX + "ADAPTER_SPANS"
"""Environment variable: ``true`` adds a span for each adapter call."""

BAGGAGE = PREFIX + "BAGGAGE"
"""Environment variable: names of entries of W3C Baggage that become attributes of every span, with commas between
them: ``tenant.id,user.id``. Nothing stands for several."""

BAGGAGE_METRICS = PREFIX + "BAGGAGE_METRICS"
"""Environment variable: the same for the metrics of language model and embedder calls, and for spans too: entries of
few different values, such as ``tenant.id``."""

METRIC_VALUES = PREFIX + "METRIC_VALUES"
"""Environment variable: different values that each of program, prompt and the application's own attributes may have on
metrics; further ones count as ``other``."""

DEFAULT_METRIC_VALUES = 200

BUDGET_USD = PREFIX + "BUDGET_USD"
"""Environment variable: US dollars that the whole process may spend, a number from zero up; empty is no budget."""

OptimizerTraces: TypeAlias = Literal["auto", "linked", "nested", "none"]
"""Where the examples of an optimizer run go: to traces of their own, into the run's trace, or nowhere.

``auto``: those of the first trials into the run's trace, as many as a page can open; then to traces of their own.
"""

OPTIMIZER_TRACES = PREFIX + "OPTIMIZER_TRACES"
"""Environment variable: where the examples of an optimizer run go. ``nested``: into the trace of the run. ``linked``:
to traces of their own. ``auto``: the first 200 into the trace of the run, then to traces of their own. ``none``:
nowhere; sums and metrics have them."""

DEFAULT_OPTIMIZER_TRACES: OptimizerTraces = "auto"

_OPTIMIZER_TRACES_CHOICES: tuple[OptimizerTraces, ...] = get_args(OptimizerTraces)

ERROR_MESSAGES = PREFIX + "ERROR_MESSAGES"
"""Environment variable: ``false`` leaves the texts of exceptions out; their types are told all the same."""

OPENINFERENCE = PREFIX + "OPENINFERENCE"
"""Environment variable: ``true`` adds the words of OpenInference to every span, for Phoenix, Arize and MLflow."""

NOTICES = PREFIX + "NOTICES"
"""Environment variable: ``false`` keeps the lines back that this library writes to standard error."""

PRICES = PREFIX + "PRICES"
"""Environment variable: the path of a YAML or JSON file with prices of your own."""

PROPAGATE = PREFIX + "PROPAGATE"
"""Environment variable: hosts whose requests carry the trace, with commas between them; ``true`` for near ones."""

STACK_TRACES = PREFIX + "STACK_TRACES"
"""Environment variable: ``false`` leaves out the events that tell where an exception came up."""

REDACT = PREFIX + "REDACT"
"""Environment variable: a function that sees each text and its kind before it is recorded, and returns what to record.
Where it cannot be loaded, no content is recorded."""

CONSOLE = PREFIX + "CONSOLE"
"""Environment variable: what the exporter ``dspy_console`` prints. ``tree`` prints the spans; ``content`` prompts,
replies and values below them; ``all`` the examples of evaluations that passed, too. Several go with commas."""

DEFAULT_CONSOLE = "tree"

_CONSOLE_CHOICES = ("tree", "content", "all")

OPTIONS = (
    ADAPTER_SPANS,
    BAGGAGE,
    BAGGAGE_METRICS,
    BUDGET_USD,
    CONSOLE,
    CONTENT_MAX_LENGTH,
    CONTENT_SPANS,
    CONTENT_SPAN_MAX_LENGTH,
    ERROR_MESSAGES,
    METRIC_VALUES,
    NOTICES,
    OPENINFERENCE,
    OPTIMIZER_TRACES,
    PRICES,
    PROPAGATE,
    REDACT,
    STACK_TRACES,
)
"""All environment variables of this library's own."""


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
    baggage: tuple[str, ...] = ()
    """Entries of W3C Baggage that become attributes of spans."""
    baggage_metrics: tuple[str, ...] = ()
    """Those that become attributes of metric points as well."""
    metric_values: int = DEFAULT_METRIC_VALUES
    """Different values of each attribute of metric points that names where a call comes from."""
    error_messages: bool = True
    """Whether spans tell the texts of exceptions, and not their types alone."""
    openinference: bool = False
    """Whether spans say what they tell in OpenInference's words too."""
    stack_traces: bool = True
    """Whether the span that an exception ended first, and a log event, tell its stack."""
    propagate: NamedHosts = NO_HOSTS
    """Hosts that are told of the trace with each request to a model."""
    prices: OwnPrices | None = None
    """What models cost by the application's own word."""
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
        propagate: Propagate | None = None,
        prices: Prices | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Options:
        """Read the options; whatever is wrong with a variable is logged, and its default is used.

        What is given as an argument goes before what the environment says.
        """
        variables = os.environ if environment is None else environment
        warn_of_unknown_names(variables, PREFIX, OPTIONS)
        switch_in(variables, NOTICES, default=True)
        return cls(
            content_max_length=whole_number_in(variables, CONTENT_MAX_LENGTH, DEFAULT_CONTENT_MAX_LENGTH, "characters"),
            content_span_max_length=whole_number_in(
                variables, CONTENT_SPAN_MAX_LENGTH, DEFAULT_CONTENT_SPAN_MAX_LENGTH, "characters"
            ),
            content_spans=choice_in(variables, CONTENT_SPANS, _CONTENT_SPANS_CHOICES, DEFAULT_CONTENT_SPANS),
            optimizer_traces=choice_in(
                variables, OPTIMIZER_TRACES, _OPTIMIZER_TRACES_CHOICES, DEFAULT_OPTIMIZER_TRACES
            ),
            adapter_spans=switch_in(variables, ADAPTER_SPANS),
            baggage=_baggage(variables, BAGGAGE),
            baggage_metrics=_baggage(variables, BAGGAGE_METRICS),
            metric_values=whole_number_in(variables, METRIC_VALUES, DEFAULT_METRIC_VALUES, "values"),
            error_messages=switch_in(variables, ERROR_MESSAGES, default=True),
            openinference=switch_in(variables, OPENINFERENCE) if openinference is None else openinference,
            propagate=_hosts(variables) if propagate is None else hosts_of(propagate)[0],
            stack_traces=switch_in(variables, STACK_TRACES, default=True),
            prices=_prices(variables) if prices is None else OwnPrices.read(prices)[0],
            redact=redact,
            redact_name=variables.get(REDACT, "").strip() or None,
        )


def _baggage(variables: Mapping[str, str], name: str) -> tuple[str, ...]:
    names, wrong = baggage_names_of(variables.get(name, ""), on_metrics=name == BAGGAGE_METRICS)
    for entry, what_it_takes in wrong:
        log_invalid(name, entry, f"{what_it_takes}. The entry is left out.")
    return names


def _hosts(variables: Mapping[str, str]) -> NamedHosts:
    hosts, wrong = hosts_of(variables.get(PROPAGATE, ""))
    for message in wrong:
        _logger.warning("%s: %s", PROPAGATE, message)
    return hosts


def _prices(variables: Mapping[str, str]) -> OwnPrices | None:
    path = variables.get(PRICES, "").strip()
    if not path:
        return None
    try:
        prices, wrong = OwnPrices.read(path)
    except PriceFileError as error:
        _logger.warning("%s: %s No price of your own is used.", PRICES, error)
        return None
    for message in wrong:
        _logger.warning("%s: %s The model has no price of your own.", PRICES, message)
    return prices


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
