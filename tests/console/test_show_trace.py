"""``show_trace`` in programs: traces that were kept, and what is said of those that were not."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from console_spans import chat, span, tracer_for
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, show_trace, span_context_of
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter, exporter
from opentelemetry.instrumentation.dspy.console.recent import RecentTraces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan


class Named(dspy.Module):
    """A program without a language model."""

    def forward(self, name: str) -> dspy.Prediction:
        return dspy.Prediction(name=name)


@pytest.fixture(autouse=True)
def no_other_exporters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of earlier tests are forgotten."""
    import weakref

    monkeypatch.setattr(exporter, "_exporters", weakref.WeakSet())


@pytest.fixture
def instrumented() -> Iterator[Any]:
    """Instruments DSPy with an exporter."""

    def instrument(to: DSPyConsoleSpanExporter, **arguments: Any) -> None:
        provider = TracerProvider(shutdown_on_exit=False, **arguments)
        provider.add_span_processor(SimpleSpanProcessor(to))
        DSPyInstrumentor().instrument(tracer_provider=provider)

    yield instrument
    DSPyInstrumentor().uninstrument()


def test_a_trace_that_was_kept_is_printed_again(instrumented: Any) -> None:
    out = io.StringIO()
    instrumented(DSPyConsoleSpanExporter(out=out, kept_traces=2))
    prediction = Named()(name="a")
    printed = out.getvalue()
    for known in (prediction, prediction.copy(), span_context_of(prediction)):
        out.seek(0)
        out.truncate()
        show_trace(known)
        assert out.getvalue() == printed


def test_programs_keep_none_unless_they_are_asked_to(
    instrumented: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys, "ps1", raising=False)
    instrumented(DSPyConsoleSpanExporter(out=io.StringIO()))
    show_trace(Named()(name="a"))
    assert "is not among those that are kept" in capsys.readouterr().out


def test_interactive_python_keeps_them(
    instrumented: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    instrumented(DSPyConsoleSpanExporter())
    show_trace(Named()(name="a"))
    first, second = capsys.readouterr().out.strip().split("\n\n")
    assert first == second


def test_a_trace_that_was_not_sampled_is_told_so(instrumented: Any, capsys: pytest.CaptureFixture[str]) -> None:
    instrumented(DSPyConsoleSpanExporter(out=io.StringIO(), kept_traces=2), sampler=ALWAYS_OFF)
    show_trace(Named()(name="a"))
    assert capsys.readouterr().out.endswith(" was not sampled, so nothing of it was kept.\n")


def test_without_an_exporter_it_is_said_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    show_trace(dspy.Prediction(name="a"))
    assert capsys.readouterr().out.startswith("Nobody keeps traces here. In a notebook, %load_ext ")


def test_what_no_call_returned_is_told_so(instrumented: Any, capsys: pytest.CaptureFixture[str]) -> None:
    instrumented(DSPyConsoleSpanExporter(out=io.StringIO(), kept_traces=2))
    for unknown in (dspy.Prediction(name="a"), "a text", 3, None):
        show_trace(unknown)
        assert capsys.readouterr().out.startswith("show_trace() does not know where this came from: ")


def test_a_trace_that_is_too_large_is_told_so(
    instrumented: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter, "_KEPT_SPANS", 3)
    instrumented(DSPyConsoleSpanExporter(kept_traces=2))

    class Four(dspy.Module):
        def forward(self) -> dspy.Prediction:
            return [Named()(name=str(number)) for number in range(3)][-1]

    prediction = Four()()
    capsys.readouterr()
    show_trace(prediction)
    assert "has too many spans to be kept and shown again" in capsys.readouterr().out


def spans_of(*roots: Any) -> list[ReadableSpan]:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory = InMemorySpanExporter()
    tracer = tracer_for(memory)  # type: ignore[arg-type]
    for root in roots:
        root.record(tracer)
    return [*memory.get_finished_spans()]


def test_the_oldest_traces_make_room_for_new_ones() -> None:
    recent = RecentTraces(max_traces=2, max_spans=100)
    for each in spans_of(*[span("Predict", chat()) for _ in range(3)]):
        recent.add(each)
    assert [recent.has(number) for number in (1, 2, 3)] == [False, True, True]
    assert len(recent.spans_of(3)) == 2


def test_so_many_spans_are_kept_and_no_more() -> None:
    recent = RecentTraces(max_traces=100, max_spans=5)
    for each in spans_of(*[span("Predict", chat()) for _ in range(3)]):
        recent.add(each)
    assert sum(len(recent.spans_of(number)) for number in (1, 2, 3)) == 4


def test_a_trace_with_more_spans_than_may_be_kept_does_not_begin_anew() -> None:
    recent = RecentTraces(max_traces=2, max_spans=3)
    for each in spans_of(span("Predict", *[chat() for _ in range(7)])):
        recent.add(each)
    assert recent.has(1)
    assert recent.spans_of(1) == []
    for each in spans_of(span("Predict", chat()), span("Predict", chat()))[2:]:
        recent.add(each)
    assert len(recent.spans_of(2)) == 2
