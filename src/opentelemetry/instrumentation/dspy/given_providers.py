"""What the application's providers give out, or what the API has for nobody where a provider fails.

A provider of the application may raise, or give out nothing or something else. ``instrument()`` goes on: the signal is
missing, the others are there, and the program runs. It is told once for each signal.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry._logs import LoggerProvider, NoOpLogger, get_logger
from opentelemetry.metrics import MeterProvider, NoOpMeter, get_meter
from opentelemetry.trace import NoOpTracer, TracerProvider

from .reading import name_of_type, read
from .wrapping.complaints import without_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Counter, Histogram, Meter
    from opentelemetry.metrics import _Gauge as Gauge
    from opentelemetry.trace import Tracer

__all__ = ["GivenMeter", "OneOfEach", "given_logger", "given_tracer", "unguarded"]

_logger = logging.getLogger(__name__)

Part = TypeVar("Part")


def given_tracer(ask: Callable[[], Tracer]) -> Tracer:
    """Return the tracer that is asked for."""
    nobodys: Tracer = NoOpTracer()
    return _given("tracer", "start_span", "spans", ask, nobodys)


def given_logger(provider: LoggerProvider | None, name: str, version: str, schema_url: str) -> Logger:
    """Return the logger of a provider, by default the global one."""
    nobodys: Logger = NoOpLogger(name, version, schema_url)
    return _given("logger", "emit", "log events", lambda: get_logger(name, version, provider, schema_url), nobodys)


class GivenMeter(NoOpMeter):
    """The meter of a provider, by default the global one. Whatever its instruments raise costs a point and no more."""

    def __init__(self, provider: MeterProvider | None, name: str, version: str, schema_url: str) -> None:
        super().__init__(name, version, schema_url)
        nobodys: Meter = NoOpMeter(name, version, schema_url)
        self._meter = _given(
            "meter", "create_histogram", "points", lambda: get_meter(name, version, provider, schema_url), nobodys
        )
        self._has_failed = False

    def create_histogram(self, name: str, *options: Any, **named_options: Any) -> Histogram:
        """Return a histogram."""
        nobodys = super().create_histogram(name)
        return self._guarded(lambda: self._meter.create_histogram(name, *options, **named_options), nobodys)

    def create_counter(self, name: str, *options: Any, **named_options: Any) -> Counter:
        """Return a counter."""
        nobodys = super().create_counter(name)
        return self._guarded(lambda: self._meter.create_counter(name, *options, **named_options), nobodys)

    def create_gauge(self, name: str, *options: Any, **named_options: Any) -> Gauge:
        """Return a gauge."""
        nobodys = super().create_gauge(name)
        return self._guarded(lambda: self._meter.create_gauge(name, *options, **named_options), nobodys)

    def tell(self, what_happened: str, error: Exception | None = None) -> None:
        """Tell that the meter fails, once."""
        if not self._has_failed:
            self._has_failed = True
            _tell(what_happened, "some points", error)

    def _guarded(self, create: Callable[[], Part], nobodys: Part) -> Part:
        method = next(name for name in ("record", "add", "set") if hasattr(nobodys, name))
        try:
            instrument = create()
        except Exception as error:  # noqa: BLE001 - the provider may do anything
            self.tell("The meter raised where it makes its instruments", error)
            instrument = nobodys
        if not callable(read(instrument, method)):
            self.tell(f"The meter made no instrument but one of the type {name_of_type(instrument)}")
            instrument = nobodys
        guarded: Part = _GuardedInstrument(instrument, method, self)  # type: ignore[assignment]
        return guarded


class _GuardedInstrument:
    __slots__ = ("_meter", "_take", "instrument")

    def __init__(self, instrument: Any, method: str, meter: GivenMeter) -> None:
        self.instrument = instrument
        self._take = getattr(instrument, method)
        self._meter = meter

    def record(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        try:
            self._take(amount, attributes, context)
        except Exception as error:  # noqa: BLE001 - the provider may do anything
            self._meter.tell("An instrument of the meter provider raised", error)

    add = set = record


def unguarded(instrument: Part) -> Part:
    """Return what a meter of a provider's made: for what each call records, after all else that there is to do."""
    inner: Part = instrument.instrument if isinstance(instrument, _GuardedInstrument) else instrument
    return inner


class OneOfEach(TracerProvider, MeterProvider, LoggerProvider):
    """Gives out what there is already to whoever asks: each provider is asked once, and its failure told once."""

    def __init__(self, tracer: Tracer, meter: Meter, logger: Logger) -> None:
        self._tracer = tracer
        self._meter = meter
        self._logger = logger

    def get_tracer(self, *_: Any, **__: Any) -> Tracer:
        """Return the tracer."""
        return self._tracer

    def get_meter(self, *_: Any, **__: Any) -> Meter:
        """Return the meter."""
        return self._meter

    def get_logger(self, *_: Any, **__: Any) -> Logger:
        """Return the logger."""
        return self._logger


def _given(what: str, method: str, signal: str, ask: Callable[[], Part], nobodys: Part) -> Part:
    try:
        found = ask()
    except Exception as error:  # noqa: BLE001 - the provider may do anything
        _tell(f"The {what} provider raised", signal, error)
        return nobodys
    if callable(read(found, method)):
        return found
    _tell(f"The {what} provider gave out no {what} but one of the type {name_of_type(found)}", signal)
    return nobodys


def _tell(what_happened: str, lost: str, error: Exception | None = None) -> None:
    # The application's logging may raise as well, and the program must go on.
    with contextlib.suppress(Exception):
        _logger.warning(
            "%s: DSPy's calls go on without %s. Further failures of this kind are not logged.",
            what_happened,
            lost,
            exc_info=None if error is None else without_text(error),
        )
