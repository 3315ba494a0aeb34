"""What an example of an evaluation had to answer, what the program answered, and what the metric said of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from agent_replies import in_turn, step
from recorded import attributes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

PREDICTION, FEEDBACK = "dspy.example.prediction", "dspy.example.feedback"

FRANCE = dspy.Example(question="Capital of France?", answer="Paris").with_inputs("question")


class Geography(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.answer(question=question)


class Answering(dspy.Module):
    """A program without a language model."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, question: str) -> Any:
        return self.answer()


def with_feedback(example: dspy.Example, prediction: Any, trace: Any = None, *_: Any) -> dspy.Prediction:
    return dspy.Prediction(score=0.5, feedback=f"Wanted was {example.answer}.")


def evaluate(program: Any, metric: Any) -> None:
    dspy.Evaluate(devset=[FRANCE], num_threads=1, max_errors=10)(program, metric=metric)


def example(telemetry: Recorded) -> dict[str, Any]:
    return telemetry.attributes("evaluate_example")


def test_an_example_has_inputs_labels_prediction_score_and_feedback(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = {"of France?": {"answer": "Lyon"}}
    evaluate(Geography(), with_feedback)
    found = example(telemetry)
    assert json.loads(found["dspy.example.inputs"]) == {"question": "Capital of France?"}
    assert json.loads(found["dspy.example.labels"]) == {"answer": "Paris"}
    assert json.loads(found[PREDICTION]) == {"answer": "Lyon"}
    assert found["dspy.evaluate.example.score"] == 0.5
    assert found[FEEDBACK] == "Wanted was Paris."


@pytest.mark.parametrize("capture", ["", "EVENT_ONLY"])
def test_without_content_on_spans_it_has_neither(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, capture: str
) -> None:
    telemetry = start_telemetry(capture=capture)
    model_server.reply = {"of France?": {"answer": "Lyon"}}
    evaluate(Geography(), with_feedback)
    assert {PREDICTION, FEEDBACK}.isdisjoint(example(telemetry))
    assert [span for span in telemetry.spans if "Lyon" in span.to_json() or "Wanted" in span.to_json()] == []


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (lambda: dspy.Prediction(answer="Lyon", certainty=0.5), {"answer": "Lyon", "certainty": 0.5}),
        (lambda: (dspy.Prediction(answer="Lyon"), [(dspy.Predict("q -> a"), {}, "a")]), {"answer": "Lyon"}),
        (lambda: (dspy.Prediction(answer="Lyon"), []), {"answer": "Lyon"}),
        (lambda: ("Lyon", 0.5), ["Lyon", 0.5]),
        (lambda: "Lyon", "Lyon"),
        (lambda: 7, 7),
        (lambda: None, None),
        (lambda: {"password": "hunter2"}, {"password": "[secret]"}),
    ],
)
@pytest.mark.parametrize("is_function", [False, True], ids=["module", "function"])
def test_a_program_may_answer_anything(
    start_telemetry: StartTelemetry, answered: Callable[[], Any], told: Any, is_function: bool
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    program = (lambda question: answered()) if is_function else Answering(answered)
    evaluate(program, lambda example, prediction: 1.0)
    assert json.loads(example(telemetry)[PREDICTION]) == told


def test_a_program_that_fails_has_no_prediction(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    evaluate(Answering(lambda: 1 / 0), with_feedback)
    found = example(telemetry)
    assert found["error.type"] == "ZeroDivisionError"
    assert {PREDICTION, FEEDBACK}.isdisjoint(found)


def test_a_prediction_whose_metric_fails_is_told(start_telemetry: StartTelemetry) -> None:
    def fail(example: dspy.Example, prediction: dspy.Prediction) -> float:
        raise LookupError("no such country")

    telemetry = start_telemetry(capture="SPAN_ONLY")
    evaluate(Answering(lambda: dspy.Prediction(answer="Lyon")), fail)
    found = example(telemetry)
    assert found["error.type"] == "LookupError"
    assert json.loads(found[PREDICTION]) == {"answer": "Lyon"}


def test_what_a_failing_metric_asks_is_no_prediction(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    def fail(example: dspy.Example, prediction: Any) -> float:
        dspy.Predict("answer -> verdict")(answer=prediction)
        raise LookupError("no such country")

    telemetry = start_telemetry(capture="SPAN_ONLY")
    evaluate(lambda question: "Lyon", fail)
    assert PREDICTION not in example(telemetry)


def test_the_prediction_of_an_agent_is_its_answer(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = in_turn([step("finish"), {"reasoning": "So.", "answer": "Lyon"}])
    evaluate(dspy.ReAct("question -> answer", tools=[]), with_feedback)
    assert json.loads(example(telemetry)[PREDICTION]) == {"answer": "Lyon"}


def test_predictions_and_feedback_are_redacted_and_cut(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_CONTENT_MAX_LENGTH", "20")
    telemetry = start_telemetry(capture="SPAN_ONLY", redact=lambda text, kind: text.replace("Ann", f"[{kind}]"))

    def metric(example: dspy.Example, prediction: dspy.Prediction) -> dspy.Prediction:
        return dspy.Prediction(score=1.0, feedback="Ann was right, and so on and on.")

    evaluate(Answering(lambda: dspy.Prediction(answer="Ann Other, 12 Long Road")), metric)
    found = example(telemetry)
    assert json.loads(found[PREDICTION]) == {"answer": "[output] Other, 12 L… [8 more characters]"}
    assert found[FEEDBACK] == "[output] was right, … [17 more characters]"


@pytest.mark.parametrize(
    "settings",
    [{"metric": with_feedback}, {"metric": with_feedback, "metric_threshold": 0.4}],
    ids=["metric", "threshold"],
)
def test_a_bootstrapped_example_has_both(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, settings: dict[str, Any]
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = {"of France?": {"answer": "Lyon"}}
    dspy.BootstrapFewShot(max_labeled_demos=0, **settings).compile(Geography(), trainset=[FRANCE])
    found = example(telemetry)
    assert json.loads(found[PREDICTION]) == {"answer": "Lyon"}
    assert (found["dspy.evaluate.example.score"], found[FEEDBACK]) == (0.5, "Wanted was Paris.")


def test_a_bootstrapped_example_without_a_metric_has_a_prediction(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = {"of France?": {"answer": "Lyon"}}
    dspy.BootstrapFewShot(max_labeled_demos=0).compile(Geography(), trainset=[FRANCE])
    found = example(telemetry)
    assert json.loads(found[PREDICTION]) == {"answer": "Lyon"}
    assert FEEDBACK not in found


def test_examples_of_simba_have_both(start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer) -> None:
    pytest.importorskip("numpy")
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = {"of France?": {"answer": "Lyon"}}
    optimizer = dspy.SIMBA(metric=with_feedback, bsize=1, num_candidates=2, max_steps=1, max_demos=1, num_threads=1)
    optimizer.compile(Geography(), trainset=[FRANCE])
    found = [attributes_of(span) for span in telemetry.named("evaluate_example")]
    assert {(json.loads(each[PREDICTION])["answer"], each[FEEDBACK]) for each in found} == {
        ("Lyon", "Wanted was Paris.")
    }


def test_examples_of_gepa_have_both_whether_or_not_their_traces_are_captured(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    pytest.importorskip("gepa")
    telemetry = start_telemetry(capture="SPAN_ONLY")
    model_server.reply = {"of France?": {"answer": "Lyon"}}
    optimizer = dspy.GEPA(metric=with_feedback, max_metric_calls=4, reflection_lm=lm, reflection_minibatch_size=1)
    optimizer.compile(Geography(), trainset=[FRANCE], valset=[FRANCE])
    found = [attributes_of(span) for span in telemetry.named("evaluate_example")]
    assert len(found) >= 3
    assert {(each[PREDICTION], each[FEEDBACK]) for each in found} == {('{"answer":"Lyon"}', "Wanted was Paris.")}
