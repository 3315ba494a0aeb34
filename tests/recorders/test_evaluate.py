"""Spans, events and metrics of ``dspy.Evaluate``."""

from __future__ import annotations

import inspect
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from recorded import attributes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

CAPITALS = {"France": "Paris", "Spain": "Madrid", "Italy": "Rome", "Japan": "Tokyo"}

DEVSET = [
    dspy.Example(question=f"Capital of {country}?", answer=capital).with_inputs("question")
    for country, capital in CAPITALS.items()
]

ANSWERS = {"of France?": {"answer": "Paris"}, "of Spain?": {"answer": "Madrid"}, "of Italy?": {"answer": "Milan"}}
"""What the model knows: two of the four."""


class Geography(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=question)


def is_exact(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> bool:
    return bool(example.answer == prediction.answer)


@pytest.fixture
def knowing_lm(lm: dspy.LM, model_server: ModelServer) -> dspy.LM:
    model_server.reply = ANSWERS
    return lm


def examples(telemetry: Recorded) -> list[dict[str, Any]]:
    """The attributes of the examples' spans, in the order of the data."""
    found = [attributes_of(span) for span in telemetry.named("evaluate_example")]
    return sorted(found, key=lambda attributes: attributes["dspy.example.index"])


def evaluations(telemetry: Recorded) -> list[dict[str, Any]]:
    """The attributes of the evaluation events."""
    records = [record.log_record for record in telemetry.logs]
    return [dict(record.attributes) for record in records if record.event_name == "gen_ai.evaluation.result"]


def usage_of(attributes: dict[str, Any]) -> tuple[int, int, int]:
    return (
        attributes["dspy.usage.lm_calls"],
        attributes["dspy.usage.input_tokens"],
        attributes["dspy.usage.output_tokens"],
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_program_and_metric_of_each_example_are_below_its_span(
    telemetry: Recorded, knowing_lm: dspy.LM, threads: int
) -> None:
    def is_judged(example: dspy.Example, prediction: dspy.Prediction) -> bool:
        return dspy.Predict("answer, wanted -> same")(answer=prediction.answer, wanted=example.answer) is not None

    dspy.Evaluate(devset=DEVSET, num_threads=threads)(Geography(), metric=is_judged)
    example = (
        "  evaluate_example\n"
        "    invoke_workflow Geography\n"
        "      Predict answer\n"
        "        chat gpt-4o-mini\n"
        "    Predict answer, wanted -> same\n"
        "      chat gpt-4o-mini"
    )
    assert telemetry.tree() == "\n".join(["evaluate is_judged", *[example] * 4])


@pytest.mark.parametrize("threads", [1, 3])
def test_the_span_of_an_evaluation_tells_what_was_evaluated_and_what_came_of_it(
    telemetry: Recorded, knowing_lm: dspy.LM, model_server: ModelServer, threads: int
) -> None:
    evaluate = dspy.Evaluate(devset=DEVSET, metric=is_exact, num_threads=threads)
    result = evaluate(Geography(), callback_metadata={"metric_key": "eval_full"})
    usage = [request.usage for request in model_server.requests]
    found = telemetry.attributes("evaluate is_exact")
    price = sum(item["prompt_tokens"] * 0.15e-6 + item["completion_tokens"] * 0.6e-6 for item in usage)
    assert found.pop("dspy.usage.cost") == pytest.approx(price)
    assert found == {
        "gen_ai.evaluation.name": "is_exact",
        "dspy.evaluate.metric": "is_exact",
        "dspy.evaluate.examples": 4,
        "dspy.evaluate.threads": threads,
        "dspy.evaluate.score": 50.0,
        "dspy.evaluate.failures": 0,
        "dspy.evaluate.metric_key": "eval_full",
        "dspy.module.name": "Geography",
        "dspy.signature.fields": "question -> answer",
        "dspy.lm.task": ["gpt-4o-mini"],
        "dspy.usage.lm_calls": 4,
        "dspy.usage.input_tokens": sum(item["prompt_tokens"] for item in usage),
        "dspy.usage.output_tokens": sum(item["completion_tokens"] for item in usage),
    }
    assert getattr(result, "score", result) == 50.0


def test_each_example_has_its_place_score_and_usage(
    telemetry: Recorded, knowing_lm: dspy.LM, model_server: ModelServer
) -> None:
    dspy.Evaluate(devset=DEVSET, metric=is_exact, num_threads=2)(Geography())
    found = examples(telemetry)
    assert [attributes["dspy.example.index"] for attributes in found] == [0, 1, 2, 3]
    assert [attributes["dspy.evaluate.example.score"] for attributes in found] == [1.0, 1.0, 0.0, 0.0]
    by_prompt = {request.prompt.last_message: request.usage for request in model_server.requests}
    for attributes, country in zip(found, CAPITALS, strict=True):
        [usage] = [usage for text, usage in by_prompt.items() if f"of {country}?" in text]
        assert usage_of(attributes) == (1, usage["prompt_tokens"], usage["completion_tokens"])


@pytest.mark.parametrize(
    ("metric", "value", "label"),
    [
        (lambda example, prediction: True, 1.0, "true"),
        (lambda example, prediction: 0.25, 0.25, None),
        (lambda example, prediction: 3, 3.0, None),
        (lambda example, prediction: dspy.Prediction(score=0.5, feedback="half"), 0.5, None),
    ],
)
def test_a_metric_may_answer_with_a_bool_a_number_or_a_prediction(
    telemetry: Recorded, knowing_lm: dspy.LM, metric: Callable[..., Any], value: float, label: str | None
) -> None:
    try:
        dspy.Evaluate(devset=DEVSET[:1], metric=metric, num_threads=1)(Geography())
    except TypeError:
        # DSPy before 3.0 cannot add up predictions; the example has its score all the same.
        assert dspy.__version__.startswith("2.")
    [attributes] = examples(telemetry)
    assert attributes["dspy.evaluate.example.score"] == value
    assert isinstance(attributes["dspy.evaluate.example.score"], float)
    expected = {"gen_ai.evaluation.name": "<lambda>", "gen_ai.evaluation.score.value": value}
    if label is not None:
        expected["gen_ai.evaluation.score.label"] = label
    assert evaluations(telemetry) == [expected]


def test_a_metric_that_answers_with_a_dict_scores_its_example_although_dspy_cannot_add_it_up(
    telemetry: Recorded, knowing_lm: dspy.LM
) -> None:
    def graded(example: dspy.Example, prediction: dspy.Prediction) -> dict[str, Any]:
        return {"score": 0.75, "feedback": "close"}

    with pytest.raises(TypeError):
        dspy.Evaluate(devset=DEVSET[:1], metric=graded, num_threads=1)(Geography())
    [attributes] = examples(telemetry)
    assert attributes["dspy.evaluate.example.score"] == 0.75
    assert telemetry.attributes("evaluate graded")["error.type"] == "TypeError"


def test_the_evaluation_event_stands_in_the_span_of_the_program(telemetry: Recorded, knowing_lm: dspy.LM) -> None:
    dspy.Evaluate(devset=DEVSET[:1], metric=is_exact, num_threads=1)(Geography())
    [record] = [item.log_record for item in telemetry.logs if item.log_record.event_name == "gen_ai.evaluation.result"]
    program = telemetry.span("invoke_workflow Geography")
    assert (record.trace_id, record.span_id) == (program.context.trace_id, program.context.span_id)
    assert dict(record.attributes) == {
        "gen_ai.evaluation.name": "is_exact",
        "gen_ai.evaluation.score.value": 1.0,
        "gen_ai.evaluation.score.label": "true",
    }


@pytest.mark.parametrize("threads", [1, 2])
def test_an_example_whose_program_raises_is_a_failure(telemetry: Recorded, knowing_lm: dspy.LM, threads: int) -> None:
    class Picky(Geography):
        def forward(self, question: str) -> dspy.Prediction:
            if "Italy" in question:
                raise LookupError("no Italy")
            return super().forward(question)

    dspy.Evaluate(devset=DEVSET, metric=is_exact, num_threads=threads, failure_score=0.0)(Picky())
    assert telemetry.attributes("evaluate is_exact")["dspy.evaluate.failures"] == 1
    assert telemetry.attributes("evaluate is_exact")["dspy.evaluate.score"] == 50.0
    [failed] = [attributes for attributes in examples(telemetry) if "error.type" in attributes]
    assert (failed["dspy.example.index"], failed["error.type"]) == (2, "LookupError")
    assert "dspy.evaluate.example.score" not in failed
    assert [event for event in evaluations(telemetry) if "error.type" in event] == [
        {"gen_ai.evaluation.name": "is_exact", "error.type": "LookupError"}
    ]


def test_an_evaluation_that_reaches_max_errors_ends_with_the_error_that_dspy_raises(
    telemetry: Recorded, knowing_lm: dspy.LM
) -> None:
    def broken(example: dspy.Example, prediction: dspy.Prediction) -> bool:
        raise ZeroDivisionError("no")

    with pytest.raises(Exception, match="Execution cancelled"):
        dspy.Evaluate(devset=DEVSET, metric=broken, num_threads=1, max_errors=2)(Geography())
    found = telemetry.attributes("evaluate broken")
    assert found["dspy.evaluate.failures"] == 2
    assert found["error.type"] == "Exception"
    assert "dspy.evaluate.score" not in found
    assert [attributes["error.type"] for attributes in examples(telemetry)] == ["ZeroDivisionError"] * 2


def test_the_data_and_threads_of_the_call_go_before_those_of_the_constructor(
    telemetry: Recorded, knowing_lm: dspy.LM
) -> None:
    dspy.Evaluate(devset=DEVSET, metric=is_exact, num_threads=1)(Geography(), devset=DEVSET[:3], num_threads=2)
    found = telemetry.attributes("evaluate is_exact")
    assert (found["dspy.evaluate.examples"], found["dspy.evaluate.threads"]) == (3, 2)


def test_the_same_example_twice_in_the_data_has_two_places(telemetry: Recorded, knowing_lm: dspy.LM) -> None:
    dspy.Evaluate(devset=[DEVSET[0], DEVSET[0]], metric=is_exact, num_threads=1)(Geography())
    assert [attributes["dspy.example.index"] for attributes in examples(telemetry)] == [0, 1]
    assert all("dspy.straggler" not in attributes for attributes in examples(telemetry))


def test_the_second_run_of_an_example_that_takes_too_long_is_marked(
    telemetry: Recorded, knowing_lm: dspy.LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dspy.utils.parallelizer import ParallelExecutor

    if "timeout" not in inspect.signature(ParallelExecutor).parameters:
        pytest.skip("This DSPy runs no example twice.")
    monkeypatch.setattr("dspy.evaluate.evaluate.ParallelExecutor", partial(ParallelExecutor, timeout=0.01))
    started_again = threading.Event()
    runs: list[str] = []

    class Slow(Geography):
        def forward(self, question: str) -> dspy.Prediction:
            if "Japan" in question:
                runs.append(question)
                if len(runs) == 1:
                    assert started_again.wait(30)
                else:
                    started_again.set()
            return super().forward(question)

    dspy.Evaluate(devset=DEVSET, metric=is_exact, num_threads=3)(Slow())
    # DSPy does not wait for the run that came second to the goal.
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join(30)
    # DSPy 2.6 may start an example more than twice.
    first, *again = sorted(
        (span for span in telemetry.named("evaluate_example") if attributes_of(span)["dspy.example.index"] == 3),
        key=lambda span: span.start_time,
    )
    assert "dspy.straggler" not in attributes_of(first)
    assert again != []
    assert all(attributes_of(span)["dspy.straggler"] is True for span in again)


def test_scores_are_metrics_of_low_cardinality(telemetry: Recorded, knowing_lm: dspy.LM) -> None:
    dspy.Evaluate(devset=DEVSET, metric=is_exact, num_threads=2)(Geography())
    labels = {"dspy.evaluate.metric": "is_exact", "dspy.module.name": "Geography"}
    [score] = telemetry.metric_points("dspy.evaluate.score")
    assert (dict(score.attributes), score.value) == (labels, 50.0)
    [each] = telemetry.metric_points("dspy.evaluate.example.score")
    assert (dict(each.attributes), each.count, each.sum) == (labels, 4, 2.0)


def test_inputs_labels_and_feedback_are_content(start_telemetry: StartTelemetry, knowing_lm: dspy.LM) -> None:
    def graded(example: dspy.Example, prediction: dspy.Prediction) -> dspy.Prediction:
        return dspy.Prediction(score=1.0, feedback="well done")

    telemetry = start_telemetry(capture="span_and_event")
    try:
        dspy.Evaluate(devset=DEVSET[:1], metric=graded, num_threads=1)(Geography())
    except TypeError:
        assert dspy.__version__.startswith("2.")
    [attributes] = examples(telemetry)
    assert attributes["dspy.example.inputs"] == '{"question":"Capital of France?"}'
    assert attributes["dspy.example.labels"] == '{"answer":"Paris"}'
    assert evaluations(telemetry)[0]["gen_ai.evaluation.explanation"] == "well done"


def test_without_content_neither_data_nor_feedback_leave_the_program(telemetry: Recorded, knowing_lm: dspy.LM) -> None:
    def graded(example: dspy.Example, prediction: dspy.Prediction) -> float:
        return 1.0

    dspy.Evaluate(devset=DEVSET[:1], metric=graded, num_threads=1)(Geography())
    assert "evaluate_example" in telemetry.everything()
    assert "Capital of France" not in telemetry.everything()
    assert "Paris" not in telemetry.everything()


def test_a_judge_of_dspy_is_a_metric_with_its_own_name_and_spans(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    from dspy.evaluate import SemanticF1

    model_server.reply = {"system_response": {"reasoning": "same", "recall": "1.0", "precision": "0.5"}}
    example = dspy.Example(question="Why?", response="Because.").with_inputs("question")
    result = dspy.Evaluate(devset=[example], metric=SemanticF1(), num_threads=1)(dspy.Predict("question -> response"))
    assert getattr(result, "score", result) == 66.67
    assert telemetry.tree() == (
        "evaluate SemanticF1\n"
        "  evaluate_example\n"
        "    Predict question -> response\n"
        "      chat gpt-4o-mini\n"
        "    SemanticF1\n"
        "      ChainOfThought SemanticRecallPrecision\n"
        "        Predict SemanticRecallPrecision\n"
        "          chat gpt-4o-mini"
    )


def test_a_judge_that_is_called_by_itself_is_a_module(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    from dspy.evaluate import CompleteAndGrounded

    model_server.reply = {
        "completeness": {"reasoning": "a", "completeness": "1.0"},
        "groundedness": {"reasoning": "b", "groundedness": "1.0"},
    }
    example = dspy.Example(question="Why?", response="Because.").with_inputs("question")
    CompleteAndGrounded()(example, dspy.Prediction(response="So.", context="Text"))
    assert telemetry.tree().splitlines()[0] == "CompleteAndGrounded"
    assert telemetry.named("evaluate_example") == []


def test_scores_are_counted_where_spans_are_not_sampled(start_telemetry: StartTelemetry, knowing_lm: dspy.LM) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    dspy.Evaluate(devset=DEVSET, metric=is_exact, num_threads=2)(Geography())
    assert telemetry.spans == []
    assert telemetry.metric_points("dspy.evaluate.example.score")[0].count == 4


@pytest.mark.parametrize(("capture", "on_span", "on_event"), [("span_only", True, False), ("event_only", False, True)])
def test_content_of_an_example_goes_where_it_was_asked_for(
    capture: str, on_span: bool, on_event: bool, start_telemetry: StartTelemetry, knowing_lm: dspy.LM
) -> None:
    def graded(example: dspy.Example, prediction: dspy.Prediction, trace: object = None) -> dspy.Prediction:
        return dspy.Prediction(score=1.0, feedback="well done")

    telemetry = start_telemetry(capture=capture)
    try:
        dspy.Evaluate(devset=DEVSET[:1], metric=graded, num_threads=1)(Geography())
    except TypeError:
        # DSPy 2 cannot add up such scores; the example has run by then.
        assert dspy.__version__.startswith("2.")
    [attributes] = examples(telemetry)
    assert ("dspy.example.inputs" in attributes, "dspy.example.labels" in attributes) == (on_span, on_span)
    assert ("gen_ai.evaluation.explanation" in evaluations(telemetry)[0]) is on_event
