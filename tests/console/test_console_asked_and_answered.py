"""What programs were asked and what they answered in the dspy_console exporter: each text behind a name, and once."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from model_server import ModelServer, Reply
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry

ANSWER = "In Africa, where it has always been."
ANSWERED = {"reasoning": "A river.", "answer": ANSWER}


class Asker(dspy.Module):
    """A program that answers with one text."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.ask(question=question)


class Judge(Asker):
    """The program of a metric, which may answer with the same words."""


class Counter(dspy.Module):
    """A program that takes several values and returns several."""

    def forward(self, question: str, count: int) -> dspy.Prediction:
        return dspy.Prediction(answer=question, count=count)


class Echo(dspy.Module):
    """A program that returns what it was given."""

    def forward(self, text: str) -> dspy.Prediction:
        return dspy.Prediction(text=text)


@pytest.fixture
def rows(start_telemetry: StartTelemetry, model_server: ModelServer) -> Callable[..., list[str]]:
    """Run programs with content on, and return what is printed of them, without figures."""

    def run(program: Callable[[], Any]) -> list[str]:
        out = io.StringIO()
        exporter = DSPyConsoleSpanExporter(out=out, content=True)
        start_telemetry(capture="SPAN_ONLY").tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
        model_server.reply = lambda request: Reply(fields=ANSWERED)
        program()
        return out.getvalue().splitlines()

    return run


def quotes(lines: list[str], name: str) -> list[str]:
    """Return what is said below the first row of this name, aligned as it is and without guides."""
    start = next(index for index, line in enumerate(lines) if name in line)
    said = []
    for line in lines[start + 1 :]:
        if "├─" in line or "└─" in line or line.startswith("total"):
            break
        said.append(line.lstrip("│ "))
    return said


def evaluated(program: Any, metric: Callable[..., Any]) -> None:
    example = dspy.Example(question="Where is the Nile?", answer="x").with_inputs("question")
    dspy.Evaluate(devset=[example], metric=metric, display_progress=False)(program)


def never(*arguments: Any) -> float:
    return 0.0


def judged(*arguments: Any) -> float:
    Judge()(question="Is that so?")
    return 0.0


def test_the_one_text_of_a_program_stands_behind_input_and_the_one_that_it_answers_behind_the_arrow(
    lm: dspy.LM, rows: Any
) -> None:
    lines = rows(lambda: Asker()(question="Where is the Nile?"))
    assert quotes(lines, "invoke_workflow Asker") == ["input  Where is the Nile?", f"→      {ANSWER}"]


def test_the_one_text_of_an_agent_does_too(lm: dspy.LM, model_server: ModelServer, rows: Any) -> None:
    def answer(request: Any) -> Reply:
        return Reply(fields={"next_thought": "I know.", "next_tool_name": "finish", "next_tool_args": "{}"} | ANSWERED)

    def program() -> None:
        model_server.reply = answer
        dspy.ReAct("question -> answer", tools=[])(question="Where is the Nile?")

    assert quotes(rows(program), "invoke_agent") == ["input  Where is the Nile?", f"→      {ANSWER}"]


def test_several_values_of_a_program_have_their_own_names(rows: Any) -> None:
    lines = rows(lambda: Counter()(question="Where?", count=3))
    assert quotes(lines, "invoke_workflow Counter") == [
        "question  Where?",
        "count     3",
        "→ answer  Where?",
        "→ count   3",
    ]


@pytest.mark.complaints
def test_arguments_that_were_cut_by_the_sdk_have_a_name(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "12")
    tool = dspy.Tool(lambda text: "found", name="look", args={"text": {"type": "string"}})
    assert quotes(rows(lambda: tool(text="a longer text")), "execute_tool look") == [
        'input  {"text":"a l',
        "→      found",
    ]


@pytest.mark.parametrize("text", [ANSWER, '{"river": "Nile"}', "[1,2]", ""])
def test_in_an_evaluation_the_answer_of_the_program_is_told_once(text: str, rows: Any) -> None:
    def program() -> None:
        example = dspy.Example(text=text).with_inputs("text")
        dspy.Evaluate(devset=[example], metric=never, display_progress=False)(Echo())

    lines = rows(program)
    assert quotes(lines, "evaluate_example") == [f"text    {text}".rstrip(), f"→ text  {text}".rstrip()]
    assert quotes(lines, "invoke_workflow Echo") == []


def test_several_answers_of_a_program_are_told_once(rows: Any) -> None:
    def program() -> None:
        example = dspy.Example(question="Where?", count=3).with_inputs("question", "count")
        dspy.Evaluate(devset=[example], metric=never, display_progress=False)(Counter())

    lines = rows(program)
    assert quotes(lines, "evaluate_example")[2:] == ["→ answer  Where?", "→ count   3"]
    assert quotes(lines, "invoke_workflow Counter") == []


def test_what_an_example_does_not_tell_its_program_does(lm: dspy.LM, rows: Any) -> None:
    lines = rows(lambda: evaluated(dspy.ChainOfThought("question -> answer"), never))
    assert quotes(lines, "evaluate_example")[-1] == f"→ answer         {ANSWER}"
    assert quotes(lines, "ChainOfThought") == ["→ reasoning  A river."]


def test_the_same_words_of_a_metrics_program_are_told(lm: dspy.LM, rows: Any) -> None:
    lines = rows(lambda: evaluated(Asker(), judged))
    assert quotes(lines, "invoke_workflow Asker") == []
    assert quotes(lines, "invoke_workflow Judge") == [f"→  {ANSWER}"]


@pytest.mark.parametrize(
    ("choices", "more"), [(3, []), (4, ["…          1 more reply"]), (6, ["…          3 more replies"])]
)
def test_replies_that_are_not_shown_are_counted(choices: int, more: list[str], lm: dspy.LM, rows: Any) -> None:
    lines = rows(lambda: dspy.Predict("question -> answer", n=choices, temperature=1.0)(question="Where is the Nile?"))
    said = [line for line in quotes(lines, "chat") if not line.startswith("user")]
    assert [line for line in said if line.startswith("…")] == more
    assert len([line for line in said if line.startswith("assistant")]) == 3
