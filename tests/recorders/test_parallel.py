"""``Parallel`` and ``KNN``, which are modules to a user of DSPy and none to Python."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import numpy
import pytest
from desk import DESK, Desk, below, examples
from dspy.predict.knn import KNN
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded


def test_parallel_has_the_roll_up_of_everything_in_its_threads(telemetry: Recorded, lm: dspy.LM) -> None:
    Desk().batch(examples("Where?", "When?"), num_threads=2, disable_progress_bar=True)
    attributes = telemetry.attributes("Parallel")
    chats = [attributes_of(span) for span in telemetry.named("chat gpt-4o-mini")]
    assert attributes["dspy.module.name"] == "Parallel"
    assert attributes["dspy.usage.lm_calls"] == 2
    assert attributes["dspy.usage.input_tokens"] == sum(chat["gen_ai.usage.input_tokens"] for chat in chats)
    assert attributes["dspy.usage.cost"] == pytest.approx(sum(chat["gen_ai.usage.cost.amount"] for chat in chats))
    assert "dspy.module.inputs" not in attributes


def test_parallel_leaves_its_content_to_the_calls_inside(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    Desk().batch(examples("Where?"), num_threads=2, disable_progress_bar=True)
    assert "dspy.module.inputs" not in telemetry.attributes("Parallel")
    assert "Where?" in telemetry.attributes("invoke_workflow Desk")["gen_ai.input.messages"]


def test_parallel_counts_in_the_duration_of_modules(telemetry: Recorded, lm: dspy.LM) -> None:
    Desk().batch(examples("Where?"), num_threads=2, disable_progress_bar=True)
    points = {
        dict(point.attributes or {})["dspy.module.name"]: point.count
        for point in telemetry.metric_points("dspy.module.duration")
    }
    # The program has the conventions' own.
    assert points == {"Parallel": 1, "Predict": 1}


def test_items_that_fail_mark_their_own_spans(telemetry: Recorded, lm: dspy.LM) -> None:
    class Picky(dspy.Module):
        def forward(self, question: str) -> str:
            if question == "Why?":
                raise ValueError("not that one")
            return question

    parallel = dspy.Parallel(num_threads=1, disable_progress_bar=True)
    assert parallel([(Picky(), {"question": "Where?"}), (Picky(), {"question": "Why?"})]) == ["Where?", None]
    assert telemetry.tree() == (
        "Parallel\n  invoke_workflow Picky\n  invoke_workflow Picky [ERROR ValueError: not that one]"
    )


def test_too_many_failures_are_an_error_of_the_whole(telemetry: Recorded, lm: dspy.LM) -> None:
    class Broken(dspy.Module):
        def forward(self, question: str) -> str:
            raise ValueError("not that one")

    parallel = dspy.Parallel(num_threads=1, max_errors=1, disable_progress_bar=True)
    with pytest.raises(Exception, match="Execution cancelled"):
        parallel([(Broken(), {"question": "Why?"})])
    assert telemetry.attributes("Parallel")["error.type"] == "Exception"


def test_parallel_within_parallel_nests(telemetry: Recorded, lm: dspy.LM) -> None:
    desk = Desk()
    inner = dspy.Parallel(num_threads=2, disable_progress_bar=True)
    outer = dspy.Parallel(num_threads=2, disable_progress_bar=True)
    pairs = [(desk, example) for example in examples("Where?", "When?")]
    outer([(inner, pairs)])
    assert telemetry.tree() == below("Parallel", below("Parallel", DESK, DESK))


def test_a_subclass_with_its_own_forward_is_one_span_of_its_name(telemetry: Recorded, lm: dspy.LM) -> None:
    class Careful(dspy.Parallel):
        def forward(self, exec_pairs: list[Any], num_threads: int | None = None) -> list[Any]:
            return super().forward(exec_pairs, 1)

    Careful(disable_progress_bar=True)([(len, ([1, 2],))])
    assert telemetry.tree() == "Careful"


def test_attributes_of_the_application_are_on_the_span(telemetry: Recorded) -> None:
    with telemetry_context(conversation_id="c-42", attributes={"user.id": "u-7"}):
        dspy.Parallel(num_threads=1, disable_progress_bar=True)([(len, ([1, 2],))])
    attributes = telemetry.attributes("Parallel")
    assert attributes["gen_ai.conversation.id"] == "c-42"
    assert attributes["user.id"] == "u-7"


def letters(texts: list[str]) -> Any:
    """A vector of each text: how often it has each letter."""
    return numpy.array([[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts])


TRAINSET = [
    dspy.Example(question="aaaa", answer="first").with_inputs("question"),
    dspy.Example(question="bbbb", answer="second").with_inputs("question"),
]


def test_the_search_for_neighbours_is_a_span_around_its_embedding(start_telemetry: StartTelemetry) -> None:
    neighbours = KNN(k=1, trainset=TRAINSET, vectorizer=dspy.Embedder(letters))
    telemetry = start_telemetry(capture="SPAN_ONLY")
    assert neighbours(question="aab")[0].answer == "first"
    search, embedding = telemetry.spans
    assert search.name == "KNN"
    assert embedding.name.startswith("embeddings")
    assert embedding.parent is not None
    assert embedding.parent.span_id == search.context.span_id
    attributes = attributes_of(search)
    assert attributes["dspy.module.name"] == "KNN"
    assert json.loads(attributes["dspy.module.inputs"]) == {"question": "aab"}
    assert json.loads(attributes["dspy.module.outputs"]) == [{"question": "aaaa", "answer": "first"}]


def test_without_content_the_search_tells_no_question(telemetry: Recorded) -> None:
    KNN(k=1, trainset=TRAINSET, vectorizer=dspy.Embedder(letters))(question="what aab asks")
    attributes = telemetry.attributes("KNN")
    assert {"dspy.module.inputs", "dspy.module.outputs"} & attributes.keys() == set()
    assert "aab asks" not in telemetry.everything()


def test_a_program_with_few_shots_of_its_neighbours_is_one_tree(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    optimizer = dspy.KNNFewShot(k=1, trainset=TRAINSET, vectorizer=dspy.Embedder(letters))
    program = optimizer.compile(Desk())
    telemetry.clear()
    program(question="aab")
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    [root] = [span for span in telemetry.spans if span.parent is None]
    assert root.name == "invoke_workflow Desk"
    assert telemetry.span("KNN").parent is not None
