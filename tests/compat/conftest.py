"""Fixtures of the tests that run on every supported DSPy version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from capabilities import ENGINES

if TYPE_CHECKING:
    import dspy
    from model_server import ModelServer


class MakeLM(Protocol):
    """Makes a language model of the model server, without DSPy's cache unless a test wants it."""

    def __call__(self, model: str = "openai/gpt-4o-mini", **settings: Any) -> dspy.LM: ...


@pytest.fixture(params=["auto", "litellm"] if ENGINES.given else ["litellm"])
def engine(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings that choose each of DSPy's engines; before 3.4 there is LiteLLM alone and no setting."""
    return {"engine": request.param} if ENGINES.given else {}


@pytest.fixture
def make_lm(model_server: ModelServer, engine: dict[str, Any]) -> MakeLM:
    """Language models on each engine, and the last one made as DSPy's."""
    import dspy

    def make(model: str = "openai/gpt-4o-mini", **settings: Any) -> dspy.LM:
        defaults = {"api_base": model_server.url, "api_key": "test-key", "cache": False, "num_retries": 0}
        language_model = dspy.LM(model, **{**defaults, **engine, **settings})
        dspy.configure(lm=language_model)
        return language_model

    return make
