"""Spans of the searches of other retrievers: the application's own, those over embeddings, Databricks."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.dsp.utils import dotdict
from search_server import PASSAGES

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartTelemetry
    from recorded import Recorded
    from search_server import SearchServer

QUERY = "gen_ai.retrieval.query.text"
DOCUMENTS = "gen_ai.retrieval.documents"


def documents(telemetry: Recorded, name: str) -> Any:
    return json.loads(telemetry.attributes(name)[DOCUMENTS])


class Library(dspy.Retrieve):
    """A retriever of the application."""

    def __init__(self, shelf: str, k: int = 3) -> None:
        super().__init__(k=k)
        self.collection_name = shelf

    def forward(self, query: str, k: int | None = None) -> dspy.Prediction:
        return dspy.Prediction(passages=[*PASSAGES[: k or self.k]])


def test_a_retriever_of_the_application_is_named_by_what_it_searches(telemetry: Recorded) -> None:
    Library("rivers", k=2)(query="Nile")
    assert telemetry.attributes("retrieval rivers") == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "rivers",
        "gen_ai.retrieval.top_k": 2,
        "dspy.documents.count": 2,
    }


def test_a_retriever_of_the_application_can_be_the_configured_one(telemetry: Recorded) -> None:
    class Shelf(Library):
        def forward(self, query: str, k: int | None = None) -> Any:
            return [dotdict(long_text=passage) for passage in super().forward(query, k).passages]

    dspy.configure(rm=Shelf("rivers"))
    assert dspy.Retrieve(k=1)("Nile").passages == [PASSAGES[0]]
    assert telemetry.tree() == "retrieval rivers"


def test_the_searches_of_a_retriever_that_asks_others_are_below_it(
    telemetry: Recorded, colbert: dspy.ColBERTv2
) -> None:
    class Hybrid(dspy.Retrieve):
        def __init__(self) -> None:
            super().__init__(k=2)
            self.library = Library("rivers", k=1)

        def forward(self, query: str) -> dspy.Prediction:
            found = colbert(query, k=1, simplify=True)
            return dspy.Prediction(passages=[*found, *self.library(query).passages])

    Hybrid()("cat")
    assert telemetry.tree() == "retrieval\n  retrieval wiki17_abstracts\n  retrieval rivers"
    assert telemetry.attributes("retrieval") == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.retrieval.top_k": 2,
        "dspy.documents.count": 2,
    }


def test_a_retriever_that_overrides_the_call_is_one_search(telemetry: Recorded) -> None:
    class Polite(Library):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return super().__call__(*arguments, **options)

    Polite("rivers")("Nile, please")
    assert telemetry.tree() == "retrieval rivers"


def test_a_query_of_several_texts_is_recorded_as_a_list(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="span_only")
    Library("rivers")(["Nile", "Congo"])
    assert telemetry.attributes("retrieval rivers")[QUERY] == '["Nile","Congo"]'


def test_a_vector_is_no_text_of_a_query(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="span_only")
    Library("rivers")([0.25, 0.5])
    assert QUERY not in telemetry.attributes("retrieval rivers")


def test_an_empty_result_is_visible_without_content(telemetry: Recorded) -> None:
    class Empty(dspy.Retrieve):
        def forward(self, query: str) -> dspy.Prediction:
            return dspy.Prediction(passages=[])

    Empty()("Nile")
    assert telemetry.attributes("retrieval")["dspy.documents.count"] == 0


def letters(texts: list[str]) -> list[list[float]]:
    """Embed texts by how often some letters occur in them."""
    return [[text.lower().count(letter) + 1.0 for letter in "aeio"] for text in texts]


@pytest.fixture
def embedder() -> dspy.Embedder:
    return dspy.Embedder(letters, caching=False)


def test_the_embedding_of_the_query_is_below_the_search(
    start_telemetry: StartTelemetry, embedder: dspy.Embedder
) -> None:
    telemetry = start_telemetry(capture="span_only")
    search = dspy.Embeddings(corpus=[*PASSAGES], embedder=embedder, k=2)
    assert telemetry.tree() == "embeddings letters"
    telemetry.clear()
    result = search("A cat sleeps?")
    assert telemetry.tree() == "retrieval\n  embeddings letters"
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    assert telemetry.attributes("retrieval")["gen_ai.retrieval.top_k"] == 2
    assert documents(telemetry, "retrieval") == [
        {"id": str(index), "content": PASSAGES[index]} for index in result.indices
    ]
    assert result.indices[0] == 2


def test_scores_are_there_where_the_retriever_gives_them(
    start_telemetry: StartTelemetry, embedder: dspy.Embedder
) -> None:
    telemetry = start_telemetry(capture="span_only")
    search = dspy.retrievers.EmbeddingsWithScores(corpus=[*PASSAGES], embedder=embedder, k=1)
    result = search("A cat sleeps.")
    assert documents(telemetry, "retrieval") == [{"id": "2", "score": result.scores[0], "content": PASSAGES[2]}]
    assert result.scores[0] == pytest.approx(1.0)


@pytest.fixture
def databricks_rm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[dspy.Retrieve]:
    """DSPy's retriever for Databricks, which wants to look into a package ``databricks`` for an SDK."""
    (tmp_path / "databricks").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    retriever: type[dspy.Retrieve] = importlib.import_module("dspy.retrievers.databricks_rm").DatabricksRM
    return retriever


@pytest.mark.parametrize("for_agents", [False, True])
def test_the_index_of_databricks_is_the_data_source(
    start_telemetry: StartTelemetry, search_server: SearchServer, databricks_rm: Any, for_agents: bool
) -> None:
    telemetry = start_telemetry(capture="span_only")
    retriever = databricks_rm("main.docs.rivers", search_server.url, "dapi-secret", k=1)
    retriever.use_with_databricks_agent_framework = for_agents
    retriever("cat")
    attributes = telemetry.attributes("retrieval main.docs.rivers")
    found = json.loads(attributes.pop(DOCUMENTS))
    assert found == [{"id": "doc-2", "score": 1.0, "content": PASSAGES[2]}]
    assert attributes == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "main.docs.rivers",
        "gen_ai.provider.name": "databricks",
        "server.address": "127.0.0.1",
        "server.port": search_server.port,
        "gen_ai.retrieval.top_k": 1,
        "gen_ai.retrieval.query.text": "cat",
        "dspy.documents.count": 1,
    }
    assert "dapi-secret" not in telemetry.everything()
