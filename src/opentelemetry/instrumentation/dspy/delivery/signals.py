"""What takes spans, metrics and log records in this process, as far as the SDK's providers tell.

The SDK keeps its processors, readers and exporters under private names. Whatever is not found under them counts as
taken care of: nothing is ever said of a provider that is not known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from ..samplers import NEVER_ASKED, drops_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["State", "Taken", "logs_taken_by", "metrics_taken_by", "spans_taken_by", "spans_waiting_in"]

State: TypeAlias = Literal["taken", "unset", "noop", "disabled", "sampled out", "not exported", "shut down"]
"""Why nobody gets a signal: no provider is set, the API's empty one is set on purpose, ``OTEL_SDK_DISABLED``, a sampler
that takes no span, a provider without any exporter or one that is shut down; ``taken`` where somebody may get it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What becomes of one signal."""

    state: State
    exporters: tuple[Any, ...] = ()
    """Those that the SDK's own processors and readers hand it to."""
    begins_no_trace: bool = False
    """Whether the sampler drops every span that has none above it; one of a trace that begins elsewhere it may take."""


def spans_taken_by(provider: Any) -> Taken:
    """Return what becomes of the spans of a tracer provider."""
    if type(provider).__name__ == "ProxyTracerProvider" and _is_of(provider, "opentelemetry.trace"):
        return Taken("unset")
    if isinstance(provider, NoOpTracerProvider):
        return Taken("noop")
    if not _is_of(provider, "opentelemetry.sdk"):
        return Taken("taken")
    if getattr(provider, "_disabled", False):
        return Taken("disabled")
    processors = getattr(provider, "_active_span_processor", None)
    exporters = tuple(_exporters(processors, "_span_processors"))
    drops = drops_of(getattr(provider, "sampler", None))
    if drops is NEVER_ASKED:
        return Taken("sampled out", exporters)
    if _is_shut_down(processors):
        return Taken("shut down", exporters)
    return replace(_exported(processors, "_span_processors", exporters), begins_no_trace=drops.root)


def metrics_taken_by(provider: Any) -> Taken:
    """Return what becomes of the metrics of a meter provider."""
    if type(provider).__name__ == "_ProxyMeterProvider":
        return Taken("unset")
    if isinstance(provider, NoOpMeterProvider):
        return Taken("noop")
    if not _is_of(provider, "opentelemetry.sdk"):
        return Taken("taken")
    if getattr(provider, "_disabled", False):
        return Taken("disabled")
    return _exported(provider, "_metric_readers", tuple(_exporters(provider, "_metric_readers")))


def logs_taken_by(provider: Any) -> Taken:
    """Return what becomes of the log records of a logger provider."""
    if type(provider).__name__ == "ProxyLoggerProvider":
        return Taken("unset")
    if isinstance(provider, NoOpLoggerProvider):
        return Taken("noop")
    if not _is_of(provider, "opentelemetry.sdk"):
        return Taken("taken")
    if getattr(provider, "_disabled", False):
        return Taken("disabled")
    processors = getattr(provider, "_multi_log_record_processor", None)
    return _exported(processors, "_log_record_processors", tuple(_exporters(processors, "_log_record_processors")))


def spans_waiting_in(provider: Any) -> int:
    """Return how many spans wait for the next batch of a tracer provider, as far as it tells."""
    batches = _batches(getattr(provider, "_active_span_processor", None))
    return max((len(getattr(batch, "_queue", ())) for batch in batches), default=0)


def _batches(processors: Any) -> list[Any]:
    parts = getattr(processors, "_span_processors", None) or ()
    return [getattr(part, "_batch_processor", None) for part in parts]


def _is_shut_down(processors: Any) -> bool:
    """Return whether all processors take spans in batches and were shut down: those drop what comes without a word."""
    batches = _batches(processors)
    return bool(batches) and all(getattr(batch, "_shutdown", False) is True for batch in batches)


def _is_of(provider: Any, package: str) -> bool:
    return type(provider).__module__.startswith(package)


def _exported(owner: Any, name: str, exporters: tuple[Any, ...]) -> Taken:
    parts = getattr(owner, name, None)
    return Taken("taken" if parts is None or len(parts) > 0 else "not exported", exporters)


def _exporters(owner: Any, name: str) -> Iterator[Any]:
    for part in getattr(owner, name, None) or ():
        batch = getattr(part, "_batch_processor", None)
        for holder, attribute in ((part, "span_exporter"), (batch, "_exporter"), (part, "_exporter")):
            exporter = getattr(holder, attribute, None)
            if exporter is not None:
                yield exporter
                break
