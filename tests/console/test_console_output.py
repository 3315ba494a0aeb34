"""Where the dspy_console exporter prints: any stream, any encoding, and none that fails may disturb the program."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from console_spans import Recorded, chat, printed, span, tracer_for
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

ERROR = ("ValueError", "no field [answer]")


def small_tree() -> Recorded:
    return span("Parallel", chat(0.5, (1_000, 10), 0.001), chat(2, error=ERROR), dspy__module__name="Parallel")


def printed_in(encoding: str, recorded: Recorded) -> bytes:
    """Return the bytes in a file of this encoding, which refuses what it cannot encode."""
    file = io.BytesIO()
    out = io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="\n")
    recorded.record(tracer_for(DSPyConsoleSpanExporter(out=out)))
    return file.getvalue()


def test_standard_output_is_looked_up_when_a_trace_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    tracer = tracer_for(DSPyConsoleSpanExporter())
    redirected = io.StringIO()
    small_tree().record(tracer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", redirected)
        span("Predict a -> b", dspy__module__name="Predict").record(tracer)
    assert capsys.readouterr().out == printed(small_tree())
    assert redirected.getvalue().startswith("Predict a -> b  0 µs\n")


def test_a_file_gets_plain_text_though_rich_is_installed() -> None:
    text = printed_in("utf-8", small_tree()).decode()
    assert text == printed(small_tree())
    assert "\x1b" not in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_stream_that_cannot_encode_box_characters_gets_the_same_tree_in_ascii(encoding: str) -> None:
    assert printed_in(encoding, small_tree()).decode("ascii").splitlines() == [
        "Parallel            2.50 ms  sum 2 calls  1,000 -> 10  $0.00100",
        "|- chat gpt-5-mini   500 us               1,000 -> 10  $0.00100",
        "`- chat gpt-5-mini  2.00 ms                                      x ValueError (survived): no field [answer]",
        "total - 2 LM calls - 1,000 -> 10 tokens - $0.00100 - 1 survived error - 2.50 ms - "
        "trace 00000000000000000000000000000001",
        "",
    ]


def test_names_that_cannot_be_encoded_are_escaped() -> None:
    recorded = span("Predict 質問 -> réponse", dspy__module__name="Predict")
    first_line = printed_in("ascii", recorded).splitlines()[0]
    assert first_line == b"Predict \\u8cea\\u554f -> r\\xe9ponse  0 us"


def test_half_a_character_does_not_break_utf_8() -> None:
    recorded = span("Predict \ud83d -> b", dspy__module__name="Predict")
    assert printed_in("utf-8", recorded).splitlines()[0] == b"Predict -> b  0 \xc2\xb5s"


def test_wide_characters_keep_the_columns_straight() -> None:
    tree = span("Parallel", span("Predict 質問", milliseconds=1), span("Predict a", milliseconds=1), dspy__x=1)
    assert printed(tree).splitlines()[:3] == [
        "Parallel         2.00 ms",
        "├─ Predict 質問  1.00 ms",
        "└─ Predict a     1.00 ms",
    ]


@pytest.mark.complaints
def test_a_closed_stream_is_reported_once_and_never_raised(caplog: pytest.LogCaptureFixture) -> None:
    out = io.StringIO()
    exporter = DSPyConsoleSpanExporter(out=out)
    tracer = tracer_for(exporter)
    out.close()
    for _ in range(3):
        small_tree().record(tracer)
    assert [record.getMessage() for record in caplog.records] == [
        "dspy_console could not print, and will not say so again"
    ]
    assert caplog.records[0].exc_text is not None
    assert caplog.records[0].exc_text.splitlines()[-1] == "ValueError"


@pytest.fixture
def finished_spans() -> tuple[ReadableSpan, ...]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    small_tree().record(provider.get_tracer("test"))
    return memory.get_finished_spans()


def test_export_succeeds_where_the_trace_could_be_written(finished_spans: tuple[ReadableSpan, ...]) -> None:
    assert DSPyConsoleSpanExporter(out=io.StringIO()).export(finished_spans) is SpanExportResult.SUCCESS


@pytest.mark.complaints
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_export_fails_where_the_disk_is_full(finished_spans: tuple[ReadableSpan, ...]) -> None:
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "w") as out:
        result = DSPyConsoleSpanExporter(out=out).export(finished_spans)
    assert result is SpanExportResult.FAILURE


@pytest.mark.complaints
def test_export_fails_where_there_is_no_standard_output(
    finished_spans: tuple[ReadableSpan, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert DSPyConsoleSpanExporter().export(finished_spans) is SpanExportResult.FAILURE


def test_a_stream_needs_nothing_but_write_and_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            self.text += "<flushed>"

    stream = Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    small_tree().record(tracer_for(DSPyConsoleSpanExporter()))
    assert stream.text == printed(small_tree()) + "<flushed>"


@pytest.mark.parametrize("name", ["max_children", "max_pending_traces", "max_pending_spans"])
def test_limits_below_one_are_refused(name: str) -> None:
    limits: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match="must be at least 1"):
        DSPyConsoleSpanExporter(**limits)


FORKING_PROGRAM = """
import os

from console_spans import cached_chat, tracer_for
from opentelemetry import trace
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

exporter = DSPyConsoleSpanExporter()
tracer = tracer_for(exporter)
with tracer.start_as_current_span("Parallel"):
    cached_chat().record(tracer, trace.set_span_in_context(trace.get_current_span()))
    if os.fork() == 0:
        exporter.shutdown()
        os._exit(0)
    os.wait()
exporter.shutdown()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_leaves_its_parents_spans_to_the_parent() -> None:
    here = os.path.dirname(__file__)
    run = subprocess.run(
        [sys.executable, "-c", FORKING_PROGRAM],
        env={**os.environ, "PYTHONPATH": here},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=110,
        check=True,
    )
    assert run.stderr == ""
    assert run.stdout.count("chat gpt-5-mini") == 1
    assert run.stdout.startswith("Parallel")
