"""Prompts, replies and values below their lines in the dspy_console exporter, from real programs."""

from __future__ import annotations

import io
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from console_spans import span, tracer_for
from model_server import ModelServer, Reply, ToolCall
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from rich.cells import cell_len
from rich.console import Console

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry

CONSOLE = "OTEL_INSTRUMENTATION_DSPY_CONSOLE"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
GUIDES = "│├└─ "


@pytest.fixture
def content(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run programs with content on, and return the lines that are printed of them without the tree's own."""

    def run(program: Callable[[], Any], *, capture: str = "SPAN_ONLY", width: int | None = None) -> list[str]:
        monkeypatch.setenv(CONSOLE, "content")
        out = io.StringIO()
        console = None
        if width is not None:
            console = Console(file=out, force_terminal=True, color_system=None, width=width, legacy_windows=False)
        exporter = DSPyConsoleSpanExporter(out=out, console=console)
        start_telemetry(capture=capture).tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
        program()
        return out.getvalue().splitlines()

    return run


def below(lines: list[str], name: str) -> list[str]:
    """Return what is said below the first row of this name, without the guides and with single blanks."""
    start = next(index for index, line in enumerate(lines) if name in line)
    said = []
    for line in lines[start + 1 :]:
        if re.search(r"[├└]─|^total|^$", line):
            break
        said.append(" ".join(line.lstrip(GUIDES).split()))
    return said


def test_a_call_of_a_model_tells_the_last_user_message_and_the_reply(lm: dspy.LM, content: Any) -> None:
    lines = content(lambda: lm(messages=[
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is the Nile?"},
        {"role": "assistant", "content": "In Africa."},
        {"role": "user", "content": "And the Rhine?"},
    ]))  # fmt: skip
    reply = " ".join(below(lines, "chat gpt-4o-mini")[2:])
    assert below(lines, "chat gpt-4o-mini")[:2] == ["… 2 messages before", "user And the Rhine?"]
    assert reply.startswith("assistant ")
    assert "Be brief." not in "\n".join(lines)


def test_the_fields_of_dspys_prompts_are_told_without_its_markup(
    lm: dspy.LM, model_server: ModelServer, content: Any
) -> None:
    model_server.reply = lambda request: Reply(fields={"answer": "In Africa."})
    lines = content(lambda: dspy.Predict("question -> answer")(question="Where is the Nile?"))
    assert below(lines, "chat") == ["user question: Where is the Nile?", "assistant answer: In Africa."]


def test_the_outermost_module_tells_its_inputs_and_outputs_and_no_other(
    lm: dspy.LM, model_server: ModelServer, content: Any
) -> None:
    class Asker(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("question, count: int -> answer")

        def forward(self, question: str) -> dspy.Prediction:
            return self.ask(question=question, count=3)

    model_server.reply = lambda request: Reply(fields={"answer": "In Africa."})
    lines = content(lambda: Asker()(question="Where is the Nile?"))
    assert below(lines, "invoke_workflow Asker")[0].endswith("Where is the Nile?")
    assert below(lines, "invoke_workflow Asker")[-1].endswith("In Africa.")
    assert below(lines, "Predict") == []


def test_a_module_tells_each_field(lm: dspy.LM, model_server: ModelServer, content: Any) -> None:
    model_server.reply = lambda request: Reply(fields={"answer": "In Africa."})
    lines = content(lambda: dspy.Predict("question, count: int -> answer")(question="Where?", count=3))
    assert below(lines, "Predict") == ["question Where?", "count 3", "→ answer In Africa."]


def test_a_tool_tells_its_arguments_and_result(content: Any) -> None:
    def order(number: str, open_only: bool) -> dict[str, Any]:
        return {"number": number, "state": "sent"}

    lines = content(lambda: dspy.Tool(order)(number="A-1", open_only=True))
    assert below(lines, "execute_tool order") == [
        "number A-1",
        "open_only true",
        '→ {"number": "A-1", "state": "sent"}',
    ]


def test_tool_calls_and_their_results_are_told(lm: dspy.LM, model_server: ModelServer, content: Any) -> None:
    model_server.reply = lambda request: Reply(text="", tool_calls=[ToolCall("order", {"number": "A-1"})])
    call = {"id": "1", "type": "function", "function": {"name": "order", "arguments": '{"number": "A-0"}'}}
    lines = content(lambda: lm(messages=[
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "unknown"},
    ]))  # fmt: skip
    assert below(lines, "chat") == [
        "… 2 messages before",
        "tool unknown",
        'assistant calls order {"number": "A-1"}',
    ]


def test_a_retriever_tells_the_query_the_number_of_documents_and_their_first_words(content: Any) -> None:
    documents = [f"document {number} " + "says a lot " * 40 for number in range(5)]

    def embed(texts: list[str]) -> Any:
        import numpy as np

        return np.array([[float(len(text)), 1.0] for text in texts])

    search = dspy.Embeddings(documents, dspy.Embedder(embed, caching=False), k=5)
    said = below(content(lambda: search("where?")), "retrieval")
    assert said[0] == "query where?"
    assert said[1].startswith("5 documents document ")
    assert len(said) == 4
    assert all(line.endswith("…") for line in said[1:])


def test_a_failed_example_tells_its_inputs_and_labels(lm: dspy.LM, model_server: ModelServer, content: Any) -> None:
    model_server.reply = lambda request: Reply(fields={"answer": "In Africa."})
    example = dspy.Example(question="Where is the Rhine?", answer="In Europe.").with_inputs("question")
    evaluate = dspy.Evaluate(devset=[example], metric=lambda example, prediction, trace=None: False)
    lines = content(lambda: evaluate(dspy.Predict("question -> answer")))
    assert below(lines, "evaluate_example") == [
        "question Where is the Rhine?",
        "expected answer In Europe.",
        "→ answer In Africa.",
    ]
    # What the program was asked and answered is the example's.
    assert below(lines, "Predict") == []


def test_a_long_text_tells_its_beginning_and_its_end(lm: dspy.LM, model_server: ModelServer, content: Any) -> None:
    model_server.reply = lambda request: Reply(text="first word " + "and on " * 2_000 + "last word")
    context = "Begin. " + "Some context. " * 900 + "The question is: where?"
    said = below(content(lambda: lm(context), width=80), "chat")
    assert len(said) == 3 + 4
    assert said[0].startswith("user Begin. Some context.")
    assert said[2].startswith("… ")
    assert said[2].endswith("where?")
    assert said[3].startswith("assistant first word and on")
    assert said[6].endswith("last word")


HOSTILE = {
    "escapes": "a\x1b[2J\x1b[31mred\x1b]0;title\x07 \x9b1A b",
    "controls": "a\rb\x08c\x00d\ne\tf\x7f",
    "directions": "a\u202eb\u2066c\u200fd",
    "markup": "[red]not red[/red] [link=https://example.com]x[/link] :smile:",
    "emoji": "🧑‍🚀" * 90 + "❤️" * 90 + "👍🏽🇩🇪1️⃣",
    "wide": "何も見つかりません" * 40,
    "arabic": "مرحبا بالعالم " * 30,
    "combining": "e\u0301" * 300,
    "zero width": "a\u200bb\u200cc\u200dd\ufeffe" * 40,
    "long word": "x" * 3_000,
    "surrogates": "half \ud83d a character",
}


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind != "emoji" or cell_len("🧑‍🚀") == 2])
def test_no_content_moves_the_cursor_turns_the_line_or_leaves_it(
    kind: str, width: int, lm: dspy.LM, model_server: ModelServer, content: Any
) -> None:
    text = HOSTILE[kind]
    asked = text.encode("utf-8", "replace").decode()
    model_server.reply = lambda request: Reply(text=asked)

    def program() -> None:
        dspy.Tool(lambda text: text, name="echo", args={"text": {"type": "string"}})(text=text)
        lm(asked)

    lines = content(program, width=width)
    shown = "".join(lines)
    assert [line for line in lines if cell_len(line) > width] == []
    assert {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Co", "Zl", "Zp"} == set()
    assert set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u200b\ufeff") == set()
    if kind == "markup":
        assert "[red]not red[/red]" in shown
        assert ":smile:" in shown


@pytest.mark.complaints
def test_content_that_was_cut_by_the_sdk_is_told_as_text(
    lm: dspy.LM, model_server: ModelServer, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "60")
    model_server.reply = lambda request: Reply(fields={"answer": "In Africa."})
    said = below(content(lambda: dspy.Predict("question -> answer")(question="Where?")), "chat")
    assert said[0].startswith('user [{"role":')


def test_redaction_and_bounds_hold(
    lm: dspy.LM, model_server: ModelServer, start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONSOLE, "content")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_MAX_LENGTH", "30")
    model_server.reply = lambda request: Reply(text="Ada Lovelace, " + "and on " * 30)
    out = io.StringIO()
    recorded = start_telemetry(capture="SPAN_ONLY", redact=lambda text, kind: text.replace("Ada", "***"))
    recorded.tracer_provider.add_span_processor(SimpleSpanProcessor(DSPyConsoleSpanExporter(out=out)))
    lm("Who is Ada?")
    said = below(out.getvalue().splitlines(), "chat")
    assert said[0] == "user Who is ***?"
    assert said[1].startswith("assistant *** Lovelace,")
    assert "more characters]" in said[1]


@pytest.mark.parametrize(("capture", "state"), [("", "is not set"), ("NO_CONTENT", "is NO_CONTENT")])
def test_content_that_nobody_recorded_is_said_once_with_what_to_set(
    capture: str, state: str, lm: dspy.LM, content: Any
) -> None:
    lines = content(lambda: [lm("one"), lm("two")], capture=capture)
    told = [line for line in lines if CAPTURE in line]
    assert told == [
        f"{CONSOLE} asks for prompts and replies, and no span carries any: {CAPTURE} {state}, so nothing of what the "
        f"program says is recorded. Set {CAPTURE}=SPAN_ONLY, or SPAN_AND_EVENT, and start the program again."
    ]


def test_content_on_events_alone_is_said(lm: dspy.LM, content: Any) -> None:
    told = [line for line in content(lambda: lm("one"), capture="EVENT_ONLY") if CAPTURE in line]
    assert told == [
        f"{CONSOLE} asks for prompts and replies, and no span carries any: {CAPTURE} is EVENT_ONLY, which puts them on "
        f"log events alone. Set {CAPTURE}=SPAN_ONLY, or SPAN_AND_EVENT, and start the program again."
    ]


@pytest.mark.complaints
def test_content_that_a_broken_redaction_holds_back_is_said(
    lm: dspy.LM, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_REDACT", "nowhere:hide")
    told = [line for line in content(lambda: lm("one")) if CAPTURE in line]
    assert len(told) == 1
    assert f"though {CAPTURE} is SPAN_ONLY" in told[0]
    assert "redaction" in told[0]


def test_nothing_is_missing_where_no_model_was_called(content: Any) -> None:
    lines = content(lambda: dspy.Tool(lambda: "x", name="look")(), capture="")
    assert [line for line in lines if CONSOLE in line] == []


def test_a_trial_tells_the_instructions_that_it_tried_and_an_example_its_prediction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CONSOLE, "content")
    out = io.StringIO()
    tried = {"dspy__optimizer__trial__instructions": '{"ask": "Answer briefly."}'}
    example = {
        "dspy__example__index": 0,
        "dspy__example__inputs": '{"question": "Where?"}',
        "dspy__example__prediction": '{"answer": "Here."}',
        "dspy__example__feedback": "Too short.",
    }
    run = span("optimize GEPA", span("optimize_trial", span("evaluate_example", **example), **tried))
    run.record(tracer_for(DSPyConsoleSpanExporter(out=out)))
    lines = out.getvalue().splitlines()
    assert below(lines, "optimize_trial") == ["tried ask Answer briefly."]
    assert below(lines, "evaluate_example") == ["question Where?", "→ answer Here.", "feedback Too short."]


@pytest.mark.parametrize("shows", ["", "tree", "all"])
def test_content_is_not_printed_unless_it_is_asked_for(
    shows: str, lm: dspy.LM, start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONSOLE, shows)
    out = io.StringIO()
    recorded = start_telemetry(capture="SPAN_ONLY")
    recorded.tracer_provider.add_span_processor(SimpleSpanProcessor(DSPyConsoleSpanExporter(out=out)))
    lm("Where is the Nile?")
    assert "chat gpt-4o-mini" in out.getvalue()
    assert "Nile" not in out.getvalue()
    assert CAPTURE not in out.getvalue()
