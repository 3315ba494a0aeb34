"""Fixtures of the recorders' tests: models that call functions, and a server that searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from search_server import SearchServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dspy


@pytest.fixture
def native_lm(lm: dspy.LM) -> dspy.LM:
    """The model server, asked for function calls in the provider's own way; it gives them ids."""
    import dspy

    dspy.configure(adapter=dspy.ChatAdapter(use_native_function_calling=True))
    return lm


@pytest.fixture
def search_server() -> Iterator[SearchServer]:
    """Something to search in, behind HTTP on loopback; see ``search_server.SearchServer``."""
    with SearchServer() as server:
        yield server


@pytest.fixture
def colbert(search_server: SearchServer) -> dspy.ColBERTv2:
    """A retriever that asks it."""
    import dspy

    return dspy.ColBERTv2(url=f"{search_server.url}/wiki17_abstracts")
