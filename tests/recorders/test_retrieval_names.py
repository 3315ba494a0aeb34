"""What a retriever searches in, told by what the objects that it uses keep, and all that it found."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import pytest

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from recorded import Recorded


class Shelf(dspy.Retrieve):
    """A retriever of the application that keeps what it is given."""

    def __init__(self, found: Any = (), **kept: Any) -> None:
        super().__init__(k=2)
        vars(self).update(kept)
        self.answer = found

    def forward(self, query: str, k: int | None = None) -> Any:
        return self.answer


class Circular:
    """Holds itself."""

    def __init__(self) -> None:
        self.client = self


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ({"_chroma_collection": SimpleNamespace(name="rivers")}, "rivers"),
        ({"_qdrant_collection_name": "rivers"}, "rivers"),
        ({"pinecone_index": SimpleNamespace(_index_name="rivers")}, "rivers"),
        (
            {"retriever": SimpleNamespace(vectorstore=SimpleNamespace(_collection=SimpleNamespace(name="rivers")))},
            "rivers",
        ),
        ({"colbert_config": SimpleNamespace(root="experiments", index_name="rivers")}, "rivers"),
        ({"search_config": {"index_name": "rivers"}}, "rivers"),
        ({"faiss_index_path": Path("indexes/rivers.faiss")}, "indexes/rivers.faiss"),
        ({"persist_directory": "indexes/rivers"}, "indexes/rivers"),
        ({"index": "rivers"}, "rivers"),
        ({"index": "long " * 100}, None),
        ({"client": "a client"}, None),
        ({"url": "no address but a KEY"}, None),
        ({"client": Circular()}, None),
        ({"index": object()}, None),
    ],
)
def test_what_is_searched_in_is_found_in_what_a_retriever_keeps(
    telemetry: Recorded, kept: dict[str, Any], expected: str | None
) -> None:
    Shelf(dspy.Prediction(passages=["The Nile."]), **kept)("Where?")
    [span] = telemetry.spans
    assert (span.attributes or {}).get("gen_ai.data_source.id") == expected
    assert span.name == ("retrieval" if expected is None else f"retrieval {expected}")


def test_a_configured_retriever_names_the_search_of_dspys_own(telemetry: Recorded) -> None:
    dspy.configure(
        rm=Shelf([SimpleNamespace(long_text="The Nile.")], _chroma_collection=SimpleNamespace(name="rivers"))
    )
    dspy.Retrieve(k=1)("Where?")
    assert telemetry.attributes("retrieval rivers")["gen_ai.data_source.id"] == "rivers"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            dspy.Prediction(
                docs=["The Nile."],
                doc_ids=[7.0],
                doc_uris=["s3://a"],
                extra_columns=[{"score": 0.5, "region": "Africa"}],
            ),
            [{"id": "7", "score": 0.5, "content": "The Nile.", "metadata": {"doc_uris": "s3://a", "region": "Africa"}}],
        ),
        (
            dspy.Prediction(passages=["The Nile."], scores=[0.5], titles=["Rivers"], k=1),
            [{"score": 0.5, "content": "The Nile.", "metadata": {"titles": "Rivers"}}],
        ),
        (
            [
                {
                    "page_content": "The Nile.",
                    "metadata": {"doc_id": "d1", "doc_uri": "s3://a", "score": 0.5},
                    "type": "Document",
                }
            ],
            [{"id": "d1", "score": 0.5, "content": "The Nile.", "metadata": {"doc_uri": "s3://a"}}],
        ),
        (
            [{"long_text": "The Nile.", "text": "The Nile.", "pid": 3, "prob": 0.25, "rank": 1}],
            [{"id": "3", "content": "The Nile.", "metadata": {"prob": 0.25, "rank": 1}}],
        ),
        (
            dspy.Prediction(context=[{"text": "The Nile.", "id": "d1", "page": 4}]),
            [{"id": "d1", "content": "The Nile.", "metadata": {"page": 4}}],
        ),
    ],
)
def test_all_that_was_found_of_a_document_is_content(
    start_telemetry: StartTelemetry, found: Any, expected: list[dict[str, Any]]
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    Shelf(found)("Where?")
    attributes = telemetry.attributes("retrieval")
    assert json.loads(attributes["gen_ai.retrieval.documents"]) == expected
    assert attributes["dspy.documents.count"] == 1


def test_without_consent_none_of_it_is_anywhere(telemetry: Recorded) -> None:
    Shelf(dspy.Prediction(docs=["The Nile."], doc_ids=["document-one"], extra_columns=[{"region": "Africa"}]))("Where?")
    assert [said for said in ("Nile", "document-one", "Africa", "Where?") if said in telemetry.everything()] == []
