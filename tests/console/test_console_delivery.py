"""When the dspy_console exporter prints: spans arrive in pieces, late, never, from many threads, or all at once."""

from __future__ import annotations

import gc
import io
import re
import threading
import weakref

import pytest
from console_spans import CountingIds, cached_chat, chat, remote_parent, span, tracer_for
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from opentelemetry import trace
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

MODULE = {"dspy.module.name": "Predict"}
TRACE_1 = "00000000000000000000000000000001"


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def lines_of(out: io.StringIO) -> list[str]:
    """Return the lines without their figures, which depend on the clock."""
    return [re.split(r"(?<=\w)(?:  | · )", line)[0] for line in out.getvalue().splitlines()]


def test_a_trace_that_arrives_in_many_batches_is_printed_once_and_whole(out: io.StringIO) -> None:
    provider = TracerProvider(id_generator=CountingIds(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(DSPyConsoleSpanExporter(out=out), max_export_batch_size=1))
    span("Parallel", span("Predict a -> b", chat()), span("Predict b -> c", chat())).record(provider.get_tracer("test"))
    provider.force_flush()
    assert lines_of(out) == [
        "Parallel",
        "├─ Predict a -> b",
        "│  └─ chat gpt-5-mini",
        "└─ Predict b -> c",
        "   └─ chat gpt-5-mini",
        "total",
        "",
    ]


def test_nothing_is_printed_before_the_root_has_ended(out: io.StringIO) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    with tracer.start_as_current_span("Parallel", attributes=MODULE):
        tracer.start_span("chat", attributes=MODULE).end()
        assert out.getvalue() == ""
    assert lines_of(out)[0] == "Parallel"


def test_a_child_that_ends_after_its_parent_but_before_the_root_is_in_the_tree(out: io.StringIO) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    with tracer.start_as_current_span("Parallel", attributes=MODULE):
        with tracer.start_as_current_span("Predict a -> b", attributes=MODULE):
            child = tracer.start_span("chat", attributes=MODULE)
        child.end()
    assert lines_of(out) == ["Parallel", "└─ Predict a -> b", "   └─ chat", "total", ""]


def test_a_child_that_ends_after_the_root_is_printed_later(out: io.StringIO) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    with tracer.start_as_current_span("Parallel", attributes=MODULE):
        child = tracer.start_span("background", attributes=MODULE)
    child.end()
    assert lines_of(out) == ["Parallel", "total", "", f"… later in trace {TRACE_1}", "└─ background", ""]


def test_a_finished_span_waits_for_its_unfinished_parent_when_the_root_is_printed(out: io.StringIO) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    with tracer.start_as_current_span("Parallel", attributes=MODULE):
        background = tracer.start_span("background", attributes=MODULE)
        cached_chat().record(tracer, trace.set_span_in_context(background))
    assert lines_of(out) == ["Parallel", "total", ""]
    assert " · 1 span to come when their parent ends · " in out.getvalue()
    background.end()
    assert lines_of(out)[3:] == [f"… later in trace {TRACE_1}", "└─ background", "   └─ chat gpt-5-mini", ""]
    assert f"… later in trace {TRACE_1} · 1 LM call · 1 cache hit\n" in out.getvalue()


def test_a_parent_in_another_process_makes_a_local_root(out: io.StringIO) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    for name in ("Predict a -> b", "Predict b -> c"):
        span(name, chat()).record(tracer, remote_parent(0xABC, 0xDEF))
    assert lines_of(out) == [
        *("Predict a -> b", "└─ chat gpt-5-mini", "total", ""),
        *("Predict b -> c", "└─ chat gpt-5-mini", "total", ""),
    ]
    assert out.getvalue().count("trace 00000000000000000000000000000abc\n") == 2


def test_a_flush_prints_what_is_there_as_incomplete_and_the_parent_still_counts_it(out: io.StringIO) -> None:
    exporter = DSPyConsoleSpanExporter(out=out)
    tracer = tracer_for(exporter)
    with tracer.start_as_current_span("Parallel", attributes=MODULE) as root:
        parent = trace.set_span_in_context(root)
        chat(10, (100, 10), 0.25).record(tracer, parent)
        assert exporter.force_flush()
        assert out.getvalue() == (
            f"… incomplete trace {TRACE_1} · 1 LM call · 100 → 10 tokens · $0.250\n"
            "└─ chat gpt-5-mini  10.0 ms  100 → 10  $0.250\n\n"
        )
        chat(10, (200, 20), 0.5).record(tracer, parent)
    assert lines_of(out)[3:] == ["Parallel", "├─ chat gpt-5-mini", "└─ … 1 span printed above", "total", ""]
    assert "\ntotal · 2 LM calls · 300 → 30 tokens · $0.750 · " in out.getvalue()


@pytest.mark.complaints
def test_a_shutdown_prints_what_is_there_once_and_takes_no_more_spans(
    out: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = DSPyConsoleSpanExporter(out=out)
    tracer = tracer_for(exporter)
    root = tracer.start_span("Parallel", attributes=MODULE)
    cached_chat().record(tracer, trace.set_span_in_context(root))
    exporter.shutdown()
    exporter.shutdown()
    assert lines_of(out) == [f"… incomplete trace {TRACE_1}", "└─ chat gpt-5-mini", ""]
    assert isinstance(root, trace.Span)
    root.end()
    assert lines_of(out)[3:] == []
    assert caplog.messages == ["dspy_console is shut down and does not show the spans that end now"]


def test_the_trace_that_has_waited_longest_is_printed_when_too_many_spans_wait(out: io.StringIO) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out, max_pending_spans=3))
    roots = [tracer.start_span("Parallel", attributes=MODULE) for _ in range(2)]
    contexts = [trace.set_span_in_context(root) for root in roots]
    for context in (contexts[0], contexts[1], contexts[0], contexts[1]):
        assert out.getvalue() == ""
        cached_chat().record(tracer, context)
    assert lines_of(out) == [f"… incomplete trace {TRACE_1}", "├─ chat gpt-5-mini", "└─ chat gpt-5-mini", ""]
    roots[1].end()
    assert lines_of(out)[4:] == ["Parallel", "├─ chat gpt-5-mini", "└─ chat gpt-5-mini", "total", ""]


def test_the_trace_that_has_waited_longest_is_printed_when_too_many_traces_wait(out: io.StringIO) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out, max_pending_traces=2))
    for _ in range(3):
        assert out.getvalue() == ""
        cached_chat().record(tracer, trace.set_span_in_context(tracer.start_span("Parallel", attributes=MODULE)))
    assert lines_of(out) == [f"… incomplete trace {TRACE_1}", "└─ chat gpt-5-mini", ""]


def test_printed_spans_are_let_go(out: io.StringIO) -> None:
    exporter = DSPyConsoleSpanExporter(out=out)
    tracer = tracer_for(exporter)
    kept = []
    for _ in range(5):
        with tracer.start_as_current_span("Parallel", attributes=MODULE):
            child = tracer.start_span("background", attributes=MODULE)
            child.end()
            kept.append(weakref.ref(child))
    del child
    gc.collect()
    assert [reference() for reference in kept] == [None] * 5


def test_late_children_of_a_trace_that_is_no_longer_remembered_are_not_lost(out: io.StringIO) -> None:
    exporter = DSPyConsoleSpanExporter(out=out, max_pending_spans=2)
    tracer = tracer_for(exporter)
    with tracer.start_as_current_span("Parallel", attributes=MODULE):
        child = tracer.start_span("background", attributes=MODULE)
    for _ in range(5):
        cached_chat().record(tracer)
    child.end()
    exporter.shutdown()
    assert lines_of(out)[-3:] == [f"… incomplete trace {TRACE_1}", "└─ background", ""]


def test_a_span_that_names_itself_as_its_parent_is_not_lost(out: io.StringIO) -> None:
    exporter = DSPyConsoleSpanExporter(out=out)
    own_context = trace.SpanContext(1, 1, is_remote=False, trace_flags=trace.TraceFlags(1))
    context = trace.set_span_in_context(trace.NonRecordingSpan(own_context))
    tracer_for(exporter).start_span("Predict a -> b", context, attributes=MODULE).end()
    assert exporter.force_flush()
    assert lines_of(out) == [f"… incomplete trace {TRACE_1}", "└─ Predict a -> b", ""]


def test_a_program_that_calls_itself_two_thousand_times_deep_is_printed(out: io.StringIO) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))
    spans = [tracer.start_span("Recurse", attributes=MODULE)]
    for _ in range(2_000):
        spans.append(tracer.start_span("Recurse", trace.set_span_in_context(spans[-1]), attributes=MODULE))
    while spans:
        spans.pop().end()
    assert len(lines_of(out)) == 2_003


def test_threads_get_their_traces_printed_whole_and_apart(out: io.StringIO) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out))

    def run() -> None:
        for _ in range(50):
            span("Predict a -> b", cached_chat(), cached_chat()).record(tracer)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tree = ["Predict a -> b", "├─ chat gpt-5-mini", "└─ chat gpt-5-mini", "total", ""]
    assert lines_of(out) == tree * 400


def test_a_span_that_ends_while_a_trace_is_printed_is_printed_after_it() -> None:
    class SpanEndingStream(io.StringIO):
        def write(self, text: str) -> int:
            if pending:
                pending.pop().end()
            return super().write(text)

    stream = SpanEndingStream()
    tracer = tracer_for(DSPyConsoleSpanExporter(out=stream))
    pending = [tracer.start_span("Predict b -> c", attributes=MODULE)]
    tracer.start_span("Predict a -> b", attributes=MODULE).end()
    assert lines_of(stream) == ["Predict a -> b", "total", "", "Predict b -> c", "total", ""]
