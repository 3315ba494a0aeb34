"""Parts of an SDK, and functions of the application, that do their work until they are told to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Exporter",
    "IdGenerator",
    "LogExporter",
    "LogProcessor",
    "Loggers",
    "Meters",
    "Part",
    "Processor",
    "Sampling",
    "StrangeError",
]


class StrangeError(Exception):
    """Cannot be written, compared or copied."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __eq__ = __reduce__ = __str__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Part:
    """Knows what is done at one of its methods, by default nothing; what it does may raise, and may wait."""

    def __init__(self, method: str, attack: Callable[[], None]) -> None:
        self._method = method
        self._attack = attack
        self.reached = 0

    def reach(self, method: str) -> None:
        if method == self._method:
            self.reached += 1
            self._attack()


class Processor(Part, SpanProcessor):
    """Of spans."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self.reach("on_start")

    def on_end(self, span: Any) -> None:
        self.reach("on_end")


class Sampling(Part, Sampler):
    """Samples all."""

    def should_sample(self, *arguments: Any, **options: Any) -> Any:
        self.reach("should_sample")
        return ALWAYS_ON.should_sample(*arguments, **options)

    def get_description(self) -> str:
        return "hostile"


class IdGenerator(Part, RandomIdGenerator):
    """Draws ids."""

    def generate_span_id(self) -> int:
        self.reach("generate_span_id")
        return RandomIdGenerator.generate_span_id(self)

    def generate_trace_id(self) -> int:
        self.reach("generate_trace_id")
        return RandomIdGenerator.generate_trace_id(self)


class Exporter(Part, SpanExporter):
    """Takes spans, of which it keeps the names."""

    def __init__(self, method: str, attack: Callable[[], None]) -> None:
        super().__init__(method, attack)
        self.names: list[str] = []

    def export(self, spans: Any) -> SpanExportResult:
        self.reach("export")
        self.names += [span.name for span in spans]
        return SpanExportResult.SUCCESS


class Meters(Part):
    """A provider of meters, the meters and all of their instruments, in one."""

    def get_meter(self, *_: Any, **__: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        return (lambda *_, **__: self) if name.startswith("create_") else (lambda *_, **__: self.reach(name))


class LogProcessor(Part, LogRecordProcessor):
    """Of log records."""

    def on_emit(self, log_record: Any) -> None:
        self.reach("on_emit")

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class LogExporter(Part, LogRecordExporter):
    """Takes log records."""

    def export(self, batch: Any) -> LogRecordExportResult:
        self.reach("export")
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


class Loggers(Part):
    """A provider of loggers and its loggers in one."""

    def get_logger(self, *_: Any, **__: Any) -> Any:
        return self

    def emit(self, *_: Any, **__: Any) -> None:
        self.reach("emit")

    def enabled(self, *_: Any, **__: Any) -> bool:
        self.reach("enabled")
        return True
