"""The examples of an evaluation in the dspy_console exporter: the failed ones are shown, those that passed counted."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from console_spans import chat, span, tracer_for
from model_server import ModelServer, Reply
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

if TYPE_CHECKING:
    from conftest import StartTelemetry

CONSOLE = "OTEL_INSTRUMENTATION_DSPY_CONSOLE"
TRACES = "OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES"


def rows(text: str) -> list[str]:
    """Return the rows of an evaluation and its examples, each with its first columns."""
    found = [line for line in text.splitlines() if re.search(r"evaluate |evaluate_example|… ", line)]
    return [re.split(r"  +", line)[0] for line in found]


def evaluated(start: StartTelemetry, scores: list[Any], *, shows: dict[str, bool] | None = None) -> str:
    """Evaluate a program that gets these scores, an exception where there is one; return what is printed."""

    def metric(example: dspy.Example, prediction: dspy.Prediction, trace: object = None) -> Any:
        score = scores[int(example.question)]
        if isinstance(score, Exception):
            raise score
        return score

    out = io.StringIO()
    exporter = DSPyConsoleSpanExporter(out=out, **(shows or {}))
    start().tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    devset = [dspy.Example(question=str(number)).with_inputs("question") for number in range(len(scores))]
    dspy.Evaluate(devset=devset, metric=metric, num_threads=1, max_errors=100)(dspy.Predict("question -> answer"))
    return out.getvalue()


@pytest.mark.usefixtures("lm")
@pytest.mark.parametrize(
    ("scores", "failed"),
    [
        ([True, False, True, True], [1]),
        ([1, 0, 1], [1]),
        ([1.0, 0.9, 0.0], [1, 2]),
        ([True, ValueError("no score"), True], [1]),
        ([8, 10, 3], [0, 2]),
        ([0.5, 0.5], [0, 1]),
        ([-1.0, -2.0, 1.0], [0, 1]),
    ],
    ids=["booleans", "zero and one", "shares", "an error", "another scale", "none is full", "losses"],
)
def test_examples_with_an_error_or_less_than_the_full_score_are_shown_and_the_others_counted(
    scores: list[Any], failed: list[int], start_telemetry: StartTelemetry
) -> None:
    passed = len(scores) - len(failed)
    folded = [f"└─ … {passed} more passed"] if passed else []
    shown = rows(evaluated(start_telemetry, scores))
    marks = ["├─"] * (len(failed) - 1) + ["├─" if passed else "└─"]
    assert shown[1:] == [
        *(f"{mark} evaluate_example #{number}" for mark, number in zip(marks, failed, strict=True)),
        *folded,
    ]


@pytest.mark.usefixtures("lm")
def test_where_all_passed_there_is_one_line(start_telemetry: StartTelemetry) -> None:
    assert rows(evaluated(start_telemetry, [True] * 3))[1:] == ["└─ … 3 passed"]


def test_the_line_of_those_that_passed_has_their_calls_tokens_and_cost(
    lm: dspy.LM, model_server: ModelServer, start_telemetry: StartTelemetry
) -> None:
    model_server.reply = lambda request: Reply(fields={"answer": "here"})
    text = evaluated(start_telemetry, [True, False, True])
    usages = [request.usage or {} for request in model_server.requests]
    tokens_in, tokens_out = (
        sum(usages[number][kind] for number in (0, 2)) for kind in ("prompt_tokens", "completion_tokens")
    )
    [line] = [line for line in text.splitlines() if "passed" in line]
    figures = re.split(r"  +", line)
    assert figures[1:3] == ["Σ 2 calls", f"{tokens_in} → {tokens_out}"]
    assert figures[3].startswith("$0.0000")
    assert line.endswith(" each")


@pytest.mark.usefixtures("lm")
def test_all_are_shown_where_the_variable_asks_for_them(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONSOLE, "all")
    shown = rows(evaluated(start_telemetry, [True] * 15 + [False]))
    assert [line.partition("#")[2] for line in shown[1:]] == [str(number) for number in range(16)]


@pytest.mark.usefixtures("lm")
def test_an_argument_wins_over_the_variable(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONSOLE, "all")
    assert rows(evaluated(start_telemetry, [True] * 3, shows={"passed": False}))[1:] == ["└─ … 3 passed"]


@pytest.mark.usefixtures("lm")
def test_of_too_many_that_failed_the_worst_are_shown(start_telemetry: StartTelemetry) -> None:
    scores: list[Any] = [0.5] * 20
    scores[4], scores[17], scores[18] = ValueError("no score"), 0.0, 1.0
    shown = rows(evaluated(start_telemetry, scores))
    numbers = [int(line.partition("#")[2]) for line in shown if "#" in line]
    assert len(numbers) == 12
    assert numbers == sorted(numbers)
    assert {4, 17} <= set(numbers)
    assert shown[-2:] == ["├─ … 7 more evaluate_example", "└─ … 1 more passed"]


@pytest.mark.usefixtures("lm")
def test_the_examples_below_a_trial_are_folded_too(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACES, "nested")
    out = io.StringIO()
    recorded = start_telemetry()
    recorded.tracer_provider.add_span_processor(SimpleSpanProcessor(DSPyConsoleSpanExporter(out=out)))
    trainset = [dspy.Example(question=str(n), answer="x").with_inputs("question") for n in range(4)]
    optimizer = dspy.BootstrapFewShotWithRandomSearch(
        metric=lambda example, prediction, trace=None: example.question != "2",
        num_candidate_programs=0,
        num_threads=1,
        max_bootstrapped_demos=1,
        max_labeled_demos=1,
    )
    optimizer.compile(dspy.Predict("question -> answer"), trainset=trainset, valset=trainset)
    trials = out.getvalue().count("├─ optimize_trial") + out.getvalue().count("└─ optimize_trial")
    assert trials >= 2
    names = [re.split(r"  +", line.lstrip("│├└─ "))[0] for line in out.getvalue().splitlines()]
    examples = [name for name in names if name.startswith("evaluate_example ")]
    assert {name.split()[1] for name in examples} == {"#2"}
    assert names.count("… 3 more passed") == len(examples) == 3


def test_an_example_without_a_score_has_neither_passed_nor_failed() -> None:
    out = io.StringIO()
    examples = [span("evaluate_example", chat(), dspy__example__index=number) for number in range(3)]
    span("evaluate x", *examples).record(tracer_for(DSPyConsoleSpanExporter(out=out)))
    assert rows(out.getvalue())[1:] == [
        "├─ evaluate_example #0",
        "├─ evaluate_example #1",
        "└─ evaluate_example #2",
    ]
