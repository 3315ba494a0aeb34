"""Everything that DSPy did inside a block, for tests: ``recorded_telemetry``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import get_logger_provider
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.trace import get_tracer_provider
from opentelemetry.util.genai.environment_variables import (
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT,
    OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK,
)

from ..amounts import count_words
from ..config import OPTIMIZER_TRACES
from ..console.tree import Summary, is_embedding, is_lm_call
from ..console.whole_traces import tree_text
from ..console.words import total_words
from ..instrument_calls import InstrumentCall
from ..taking_over import call_in_force, instrument_instead
from .beside import KeepingTracerProvider, keeping_logger_provider
from .bounds import Bounds
from .chats import chat_of
from .kept import KeptSpans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

    from ..usage import UsageScope
    from ..usage_sums import Usage
    from .chats import Chat

__all__ = ["RecordedTelemetry", "recorded_telemetry"]


class RecordedTelemetry:
    """What DSPy did since the block began, or since ``clear()``; it can be read at any time, and after the block."""

    def __init__(self, spans: KeptSpans, events: InMemoryLogRecordExporter) -> None:
        self._spans = spans
        self._events = events

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans of DSPy's calls that have ended, in the order in which they started."""
        return self._spans.ended

    @property
    def chats(self) -> list[Chat]:
        """The language model calls that have ended, in the order in which they started."""
        return [chat_of(span) for span in self.spans if is_lm_call(span)]

    @property
    def events(self) -> list[ReadableLogRecord]:
        """The log events, such as ``gen_ai.evaluation.result``, in the order in which they came."""
        return [*self._events.get_finished_logs()]

    @property
    def usage(self) -> UsageScope:
        """The sums so far, as ``usage_scope()`` gives them: calls, tokens, cost in US dollars, and by model; those of
        embedders too."""
        return self._spans.usage

    def tree(self, *, times: bool = True, content: bool = False, width: int | None = None) -> str:
        """Return the traces as ``dspy_console`` prints them, with a line end behind each line.

        Without ``times``, durations and trace ids are left out: the text is then the same in each run of a program that
        does the same, one thing after the other. ``content`` shows prompts, replies and values where spans carry them.
        ``width`` is in columns; by default lines are as long as they are.
        """
        return tree_text(self.spans, times=times, content=content, width=width)

    def assert_at_most(
        self, *, lm_calls: int | None = None, cost: float | None = None, tokens: int | None = None
    ) -> None:
        """Raise ``AssertionError``, with the tree, if more was used than these bounds allow; see ``Bounds``.

        A bound that nobody can say is kept is taken for broken: a cost where the price of a call is not known, and
        tokens and cost while a call runs.
        """
        __tracebackhide__ = True
        excess = self.excess(Bounds(lm_calls, cost, tokens))
        if excess is not None:
            raise AssertionError(excess)

    def excess(self, bounds: Bounds) -> str | None:
        """Return what breaks the bounds and what was used where; ``None`` where they are kept."""
        under_way = self._spans.running
        running, embedding = sum(map(is_lm_call, under_way)), sum(map(is_embedding, under_way))
        by_model = self.usage.by_model
        unpriced = sorted(model for model, usage in by_model.items() if usage.cost_unknown_calls and model)
        sentences = bounds.excesses(self.usage.total(), running, unpriced, embedding)
        if not sentences:
            return None
        models = [_model_line(model, usage) for model, usage in sorted(by_model.items()) if _says_something(usage)]
        return "\n".join([*sentences, *models, "", self.tree()]).rstrip()

    def clear(self) -> None:
        """Forget all so far. Calls that run are not counted when they end."""
        self._spans.clear()
        self._events.clear()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {count_words(len(self.spans), 'span')}>"


def _says_something(usage: Usage) -> bool:
    """Return whether there is more to tell than that a function in this process embedded something."""
    return bool(usage.lm_calls or usage.tokens or usage.cost or usage.cost_unknown_calls)


def _model_line(model: str, usage: Usage) -> str:
    return f"  {model or 'unknown model'}: {', '.join(part.text for part in total_words(Summary(usage=usage)))}"


@contextmanager
def recorded_telemetry(*, content: bool | None = None, **arguments: Any) -> Iterator[RecordedTelemetry]:
    """Record what DSPy does inside the block, in all threads and tasks of the process, and leave all as it was.

    DSPy is instrumented for the block, and off again behind it if it was off. If it was on, the application's own
    processors of spans and events hear what they would hear without the block, and its metrics go on. Global providers
    are not touched. ``content=True`` records prompts, replies and values; by default they are recorded only where the
    application asked for it when it instrumented DSPy. Other arguments are those of ``DSPyInstrumentor.instrument``.

    Blocks may lie in each other, but two threads must not enter and leave them across each other. Raises
    ``RuntimeError`` where DSPy cannot be instrumented, and ``TypeError`` for an argument that there is not.
    """
    spans, events = KeptSpans(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    before = call_in_force()
    given: dict[str, Any] = {"meter_provider": NoOpMeterProvider()} if before is None else dict(before.arguments)
    tracers = loggers = None
    if before is not None:
        tracers = given.get("tracer_provider") or get_tracer_provider()
        loggers = given.get("logger_provider") or get_logger_provider()
    given["tracer_provider"] = KeepingTracerProvider(spans, tracers)
    given["logger_provider"] = keeping_logger_provider(SimpleLogRecordProcessor(events), loggers)
    restore = instrument_instead({**given, **arguments}, _variables(before, content))
    try:
        yield RecordedTelemetry(spans, events)
    finally:
        restore()


def _variables(before: InstrumentCall | None, content: bool | None) -> dict[str, str]:
    variables = dict(InstrumentCall.of({}).variables if before is None else before.variables)
    if before is None:
        # Nobody asked for content: no hook is to be given any.
        variables.pop(OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK, None)
    if content is not None or before is None:
        variables[OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT] = "SPAN_AND_EVENT" if content else "NO_CONTENT"
    if variables.get(OPTIMIZER_TRACES, "").strip().lower() == "none":
        # Calls without spans could not be counted.
        del variables[OPTIMIZER_TRACES]
    return variables
