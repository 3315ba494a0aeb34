"""Where results of evaluations hang, what becomes of odd scores, and errors that DSPy catches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.teleprompt import BootstrapFewShot
from dspy.utils import DummyLM
from opentelemetry.trace import StatusCode
from recorded import attributes_of

if TYPE_CHECKING:
    from recorded import Recorded

RESULT = "gen_ai.evaluation.result"


def examples(count: int) -> list[dspy.Example]:
    return [dspy.Example(question=f"{number}?", answer="a").with_inputs("question") for number in range(count)]


def results(telemetry: Recorded) -> list[Any]:
    return [log.log_record for log in telemetry.logs if log.log_record.event_name == RESULT]


def name_of_span(telemetry: Recorded, record: Any) -> str:
    [span] = [span for span in telemetry.spans if span.context.span_id == record.span_id]
    return span.name


@pytest.fixture(autouse=True)
def answers() -> Any:
    """A language model that always says the same."""
    with dspy.context(lm=DummyLM([{"reasoning": "r", "answer": "a"}] * 100)):
        yield


class Program(dspy.Module):
    """A program that hands on what its predictor predicts."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)


class Telling(Program):
    """One whose answer is a plain text."""

    def forward(self, question: str) -> Any:
        return super().forward(question).answer


judge = dspy.Predict("question, said -> answer")


def judged(example: dspy.Example, prediction: Any, trace: object = None) -> float:
    judge(question=example.question, said="a")
    return 1.0


@pytest.mark.parametrize("kind", [Program, Telling])
def test_a_result_hangs_on_the_span_of_the_program(telemetry: Recorded, kind: type[Program]) -> None:
    dspy.Evaluate(devset=examples(3), metric=judged, num_threads=2)(kind())
    assert [name_of_span(telemetry, record) for record in results(telemetry)] == [
        f"invoke_workflow {kind.__name__}"
    ] * 3


def test_the_result_of_a_bootstrapped_example_hangs_there_too(telemetry: Recorded) -> None:
    BootstrapFewShot(metric=judged, max_bootstrapped_demos=2).compile(Program(), trainset=examples(3))
    assert results(telemetry) != []
    assert {name_of_span(telemetry, record) for record in results(telemetry)} == {"invoke_workflow Program"}


def test_a_program_whose_span_is_no_genai_operation_is_named_by_its_one_response(telemetry: Recorded) -> None:
    dspy.Evaluate(devset=examples(1), metric=judged, num_threads=1)(dspy.ChainOfThought("question -> answer"))
    [record] = results(telemetry)
    assert name_of_span(telemetry, record) == "ChainOfThought question -> answer"
    chats = [attributes_of(span) for span in telemetry.named("chat dummy")]
    identifiers = {chat.get("gen_ai.response.id") for chat in chats}
    assert (record.attributes or {}).get("gen_ai.response.id") in identifiers


@pytest.mark.parametrize(
    ("score", "told"),
    [(-1.5, -1.5), (0, 0.0), (True, 1.0), (math.nan, None), (math.inf, None), (10**400, None), ("good", None)],
    ids=repr,
)
def test_scores_of_all_kinds_are_on_the_span_and_those_from_zero_up_in_the_metric(
    telemetry: Recorded, score: Any, told: float | None
) -> None:
    def metric(example: dspy.Example, prediction: Any, trace: object = None) -> Any:
        return score

    try:
        dspy.Evaluate(devset=examples(1), metric=metric, num_threads=1)(Program())
    except Exception:  # noqa: BLE001 - DSPy cannot add up every score
        assert told is None
    attributes = telemetry.attributes("evaluate_example")
    assert attributes.get("dspy.evaluate.example.score") == told
    points = telemetry.metric_points("dspy.evaluate.example.score")
    assert [point.sum for point in points] == ([] if told is None or told < 0 else [told])


def test_scores_have_their_own_unit(telemetry: Recorded) -> None:
    dspy.Evaluate(devset=examples(2), metric=judged, num_threads=1)(Program())
    assert telemetry.unit("dspy.evaluate.score") == "{score}"
    assert telemetry.unit("dspy.evaluate.example.score") == "{score}"


def test_a_metric_that_raises_while_an_optimizer_bootstraps_is_an_error_of_its_example(telemetry: Recorded) -> None:
    def failing(example: dspy.Example, prediction: Any, trace: object = None) -> float:
        raise ZeroDivisionError("no such scale")

    BootstrapFewShot(metric=failing, max_bootstrapped_demos=1, max_errors=10).compile(Program(), trainset=examples(2))
    spans = telemetry.named("evaluate_example")
    assert [(span.status.status_code, span.status.description) for span in spans] == [
        (StatusCode.ERROR, "no such scale")
    ] * len(spans)
    assert len(spans) >= 2
    assert [(record.attributes or {}).get("error.type") for record in results(telemetry)] == [
        "ZeroDivisionError"
    ] * len(spans)


def test_a_program_that_raises_there_is_one_too(telemetry: Recorded) -> None:
    class Failing(Program):
        def forward(self, question: str) -> Any:
            raise LookupError("closed today")

    BootstrapFewShot(metric=judged, max_bootstrapped_demos=1, max_errors=10).compile(Failing(), trainset=examples(2))
    assert {span.status.description for span in telemetry.named("evaluate_example")} == {"closed today"}


def test_the_metric_of_an_optimizer_stays_the_applications_own_function(telemetry: Recorded) -> None:
    optimizer = BootstrapFewShot(metric=judged)
    assert optimizer.metric == judged
    assert optimizer.metric.__name__ == "judged"
    assert vars(optimizer)["metric"] is judged


def two_optimizers(metric: Any) -> dict[str, Any]:
    """Optimizers that catch what a metric raises, without ``Evaluate``."""
    return {
        "SIMBA": lambda program: dspy.SIMBA(
            metric=metric, bsize=2, num_candidates=2, max_steps=1, max_demos=1, num_threads=1
        ).compile(program, trainset=examples(2)),
        "Bootstrap": lambda program: BootstrapFewShot(metric=metric, max_errors=10).compile(
            program, trainset=examples(2)
        ),
    }


@pytest.mark.parametrize("optimizer", ["SIMBA", "Bootstrap"])
def test_every_metric_that_raises_is_an_error_of_its_example(telemetry: Recorded, optimizer: str) -> None:
    def failing(example: dspy.Example, prediction: Any, trace: object = None) -> float:
        raise ZeroDivisionError("no such scale")

    two_optimizers(failing)[optimizer](Program())
    spans = telemetry.named("evaluate_example")
    assert spans != []
    assert {span.status.description for span in spans} == {"no such scale"}
    assert {(record.attributes or {}).get("error.type") for record in results(telemetry)} == {"ZeroDivisionError"}
    assert {record.attributes["gen_ai.evaluation.name"] for record in results(telemetry)} == {"failing"}
    assert {name_of_span(telemetry, record) for record in results(telemetry)} == {"invoke_workflow Program"}


def test_a_program_that_raises_is_its_examples_error_also_where_the_metric_then_raises_over_nothing(
    telemetry: Recorded,
) -> None:
    class Failing(Program):
        def forward(self, question: str) -> Any:
            self.answer(question=question)
            raise LookupError("closed today")

    def compares(example: dspy.Example, prediction: Any, trace: object = None) -> bool:
        return bool(prediction.answer == example.answer)

    two_optimizers(compares)["SIMBA"](Failing())
    assert {span.status.description for span in telemetry.named("evaluate_example")} == {"closed today"}
    assert {(record.attributes or {}).get("error.type") for record in results(telemetry)} == {"LookupError"}
