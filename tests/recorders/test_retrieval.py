"""Spans of searches: ``dspy.Retrieve`` with the retriever that DSPy is configured with, and ``dspy.ColBERTv2``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.dsp.utils import dotdict
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind
from search_server import PASSAGES

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartTelemetry
    from recorded import Recorded
    from search_server import SearchServer

QUERY = "gen_ai.retrieval.query.text"
DOCUMENTS = "gen_ai.retrieval.documents"


def documents(telemetry: Recorded, name: str) -> Any:
    return json.loads(telemetry.attributes(name)[DOCUMENTS])


def test_retrieve_and_the_configured_retriever_are_one_search(
    telemetry: Recorded, colbert: dspy.ColBERTv2, search_server: SearchServer
) -> None:
    dspy.configure(rm=colbert)
    assert dspy.Retrieve(k=2)("river Africa").passages == [PASSAGES[1], PASSAGES[0]]
    span = telemetry.span("retrieval wiki17_abstracts")
    assert telemetry.spans == [span]
    assert span.kind is SpanKind.CLIENT
    assert span.status.is_unset
    assert telemetry.attributes("retrieval wiki17_abstracts") == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "wiki17_abstracts",
        "server.address": "127.0.0.1",
        "server.port": search_server.port,
        "gen_ai.retrieval.top_k": 2,
        "dspy.documents.count": 2,
    }


def test_query_and_documents_with_ids_and_scores_are_content(
    start_telemetry: StartTelemetry, colbert: dspy.ColBERTv2
) -> None:
    telemetry = start_telemetry(capture="span_only")
    dspy.configure(rm=colbert)
    dspy.Retrieve(k=2)("river Africa")
    assert telemetry.attributes("retrieval wiki17_abstracts")[QUERY] == "river Africa"
    assert documents(telemetry, "retrieval wiki17_abstracts") == [
        {"id": "1", "score": 1.0, "content": PASSAGES[1], "metadata": {"rank": 1}},
        {"id": "0", "score": 0.5, "content": PASSAGES[0], "metadata": {"rank": 2}},
    ]


def test_without_content_neither_query_nor_documents_leave_the_program(
    telemetry: Recorded, colbert: dspy.ColBERTv2
) -> None:
    colbert("river Africa")
    assert telemetry.spans != []
    assert "river" not in telemetry.everything()


def test_redaction_comes_before_query_and_documents(start_telemetry: StartTelemetry, colbert: dspy.ColBERTv2) -> None:
    telemetry = start_telemetry(capture="span_only", redact=lambda value, kind: value.replace("Nile", f"<{kind}>"))
    colbert("Nile", k=1)
    assert telemetry.attributes("retrieval wiki17_abstracts")[QUERY] == "<input>"
    assert documents(telemetry, "retrieval wiki17_abstracts")[0]["content"] == "The <output> is a river."


def test_a_retriever_that_is_called_itself_is_the_search(telemetry: Recorded, colbert: dspy.ColBERTv2) -> None:
    assert len(colbert("river")) == 3
    attributes = telemetry.attributes("retrieval wiki17_abstracts")
    assert attributes["gen_ai.retrieval.top_k"] == 10
    assert attributes["dspy.documents.count"] == 3


def test_simplified_results_are_documents_without_ids(start_telemetry: StartTelemetry, colbert: dspy.ColBERTv2) -> None:
    telemetry = start_telemetry(capture="span_only")
    colbert("cat", 1, simplify=True)
    assert telemetry.attributes("retrieval wiki17_abstracts")["gen_ai.retrieval.top_k"] == 1
    assert documents(telemetry, "retrieval wiki17_abstracts") == [{"content": PASSAGES[2]}]


def test_a_server_without_a_path_is_known_by_its_host(telemetry: Recorded, search_server: SearchServer) -> None:
    dspy.ColBERTv2(url=f"http://{search_server.host}", port=search_server.port)("cat", k=1)
    attributes = telemetry.attributes("retrieval 127.0.0.1")
    assert attributes["server.port"] == search_server.port


def test_a_search_that_fails_is_an_error(
    telemetry: Recorded, colbert: dspy.ColBERTv2, search_server: SearchServer
) -> None:
    search_server.error = "no such index"
    dspy.configure(rm=colbert)
    with pytest.raises(ValueError, match="no such index"):
        dspy.Retrieve()("river")
    assert telemetry.tree() == (
        "retrieval wiki17_abstracts [ERROR ValueError: ColBERTv2 server returned an error: no such index]"
    )
    assert telemetry.attributes("retrieval wiki17_abstracts")["error.type"] == "ValueError"


def test_a_function_can_be_the_configured_retriever(start_telemetry: StartTelemetry) -> None:
    def look_up(query: str, k: int) -> list[dotdict]:
        return [dotdict(long_text=passage) for passage in PASSAGES[:k]]

    telemetry = start_telemetry(capture="span_only")
    dspy.configure(rm=look_up)
    dspy.Retrieve(k=1)("river", k=2)
    attributes = telemetry.attributes("retrieval")
    assert "gen_ai.data_source.id" not in attributes
    assert attributes["gen_ai.retrieval.top_k"] == 2
    assert documents(telemetry, "retrieval") == [{"content": PASSAGES[0]}, {"content": PASSAGES[1]}]


def test_documents_that_can_be_taken_once_are_left_to_the_program(start_telemetry: StartTelemetry) -> None:
    def look_up(query: str, k: int) -> Iterator[dotdict]:
        return (dotdict(long_text=passage) for passage in PASSAGES[:k])

    class Stream(dspy.Retrieve):
        def forward(self, query: str) -> Iterator[str]:
            return iter(PASSAGES)

    telemetry = start_telemetry(capture="span_only")
    dspy.configure(rm=look_up)
    assert dspy.Retrieve(k=2)("river").passages == [*PASSAGES[:2]]
    assert telemetry.attributes("retrieval")["dspy.documents.count"] == 2
    telemetry.clear()
    assert [*Stream()("river")] == [*PASSAGES]
    assert "dspy.documents.count" not in telemetry.attributes("retrieval")


def test_a_search_in_a_program_is_below_its_module(telemetry: Recorded, lm: dspy.LM, colbert: dspy.ColBERTv2) -> None:
    class Answerer(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.retrieve = dspy.Retrieve(k=1)
            self.answer = dspy.Predict("context, question -> answer")

        def forward(self, question: str) -> dspy.Prediction:
            return self.answer(context=self.retrieve(question).passages, question=question)

    dspy.configure(rm=colbert)
    Answerer()(question="river?")
    assert telemetry.tree() == (
        "invoke_workflow Answerer\n  retrieval wiki17_abstracts\n  Predict answer\n    chat gpt-4o-mini"
    )


def test_a_search_has_the_conversation_and_the_attributes_around_it(
    telemetry: Recorded, colbert: dspy.ColBERTv2
) -> None:
    with telemetry_context(conversation_id="c-42", attributes={"user.id": "u-7"}):
        colbert("river")
    attributes = telemetry.attributes("retrieval wiki17_abstracts")
    assert attributes["gen_ai.conversation.id"] == "c-42"
    assert attributes["user.id"] == "u-7"


def test_the_duration_of_each_search_is_measured(
    telemetry: Recorded, colbert: dspy.ColBERTv2, search_server: SearchServer
) -> None:
    dspy.configure(rm=colbert)
    dspy.Retrieve()("river")
    [point] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert point.attributes == {
        "gen_ai.operation.name": "retrieval",
        "server.address": "127.0.0.1",
        "server.port": search_server.port,
    }
    assert point.count == 1


def test_a_search_that_is_not_sampled_is_measured_all_the_same(
    start_telemetry: StartTelemetry, colbert: dspy.ColBERTv2
) -> None:
    telemetry = start_telemetry(capture="span_only", sampler=ALWAYS_OFF)
    dspy.configure(rm=colbert)
    assert len(dspy.Retrieve()("river").passages) == 3
    assert telemetry.spans == []
    [point] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert point.count == 1


def test_suppressed_instrumentation_records_no_search(telemetry: Recorded, colbert: dspy.ColBERTv2) -> None:
    with suppress_instrumentation():
        colbert("river")
    assert telemetry.spans == []
