"""Embedders over functions of the application: what their model is called."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from recorded import Recorded

TEXTS = ["one", "two words"]


def letters(texts: list[str]) -> list[list[float]]:
    """Embed texts by how often some letters occur in them."""
    return [[float(text.count(letter)) for letter in "aeiou"] for text in texts]


class SentenceTransformer:
    """Keeps its name as the library of that name does: on the card of the model."""

    def __init__(self, **kept: Any) -> None:
        vars(self).update(kept)

    def encode(self, texts: list[str], **options: Any) -> list[list[float]]:
        return letters(texts)

    @property
    def model(self) -> str:
        raise AssertionError("a property may load a model")


class Slotted:
    """Embeds when it is called, and has no dictionary of its own."""

    __slots__ = ("model_name",)

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def __call__(self, texts: list[str]) -> list[list[float]]:
        return letters(texts)


class Circular:
    """Holds itself."""

    def __init__(self) -> None:
        self.model = self

    def embed(self, texts: list[str]) -> list[list[float]]:
        return letters(texts)


def nameless(held: Any) -> Callable[[list[str]], list[list[float]]]:
    return lambda texts: held.encode(texts)  # type: ignore[no-any-return]


CARD = SimpleNamespace(model_name=None, model_id=None, base_model="sentence-transformers/all-MiniLM-L6-v2")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (SentenceTransformer(model_card_data=CARD).encode, "sentence-transformers/all-MiniLM-L6-v2"),
        (SentenceTransformer(_model_card_vars={"model_name": "bge-small"}).encode, "bge-small"),
        (SentenceTransformer(model_name_or_path=Path("models/bge")).encode, "models/bge"),
        (SentenceTransformer(auto_model=SimpleNamespace(name_or_path="bge-base")).encode, "bge-base"),
        (SentenceTransformer(name="own-model").encode, "own-model"),
        (partial(SentenceTransformer(model_id="bge-m3").encode, normalize=True), "bge-m3"),
        (partial(SentenceTransformer().encode, model="text-embedding-3"), "text-embedding-3"),
        (nameless(SentenceTransformer(model_name="bge-large")), "bge-large"),
        (nameless(SentenceTransformer()), "<lambda>"),
        (Slotted("bge-tiny"), "bge-tiny"),
        (Circular().embed, "Circular.embed"),
        (SentenceTransformer(model_name="x" * 500, model_id=7).encode, "SentenceTransformer.encode"),
        (SentenceTransformer(model_name="bge\ud800").encode, "bge?"),
    ],
)
def test_a_function_is_named_by_the_model_that_its_object_holds(
    telemetry: Recorded, function: Callable[..., Any], expected: str
) -> None:
    dspy.Embedder(function, caching=False)(TEXTS)
    [span] = telemetry.spans
    assert span.name == f"embeddings {expected}"
    assert (span.attributes or {})["gen_ai.request.model"] == expected
