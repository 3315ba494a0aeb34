"""What embedders use is priced and added up, on every DSPy: batch by batch, behind the cache, in every way to ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dspy
import pytest

from opentelemetry.instrumentation.dspy import BudgetExceededError, Usage, usage_scope

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded

pytestmark = [pytest.mark.timeout(110), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

MODEL = "text-embedding-3-small"
NAME = f"embeddings {MODEL}"
TEXTS = ["one", "two words", "now three words"]
PER_TOKEN = 0.02 / 1e6


def hosted(model_server: ModelServer, **settings: Any) -> dspy.Embedder:
    given = {"api_base": model_server.url, "api_key": "test-key", "caching": False, **settings}
    return dspy.Embedder(f"openai/{MODEL}", **given)


def embed(embedder: dspy.Embedder, texts: list[str], *, is_async: bool) -> None:
    asyncio.run(embedder.acall(texts)) if is_async else embedder(texts)


def tokens_of(model_server: ModelServer) -> list[int]:
    return [request.usage["prompt_tokens"] for request in model_server.requests if request.usage is not None]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("size", [1, 200], ids=["batches", "one batch"])
def test_tokens_and_price_are_on_the_span_and_in_the_sum(
    telemetry: Recorded, model_server: ModelServer, is_async: bool, size: int
) -> None:
    with usage_scope() as usage:
        embed(hosted(model_server, batch_size=size), TEXTS, is_async=is_async)
    tokens = sum(tokens_of(model_server))
    attributes = telemetry.attributes(NAME)
    assert attributes["gen_ai.usage.input_tokens"] == tokens
    assert attributes["gen_ai.usage.cost.amount"] == pytest.approx(tokens * PER_TOKEN)
    assert usage.total() == Usage(embedding_calls=1, embedding_tokens=tokens, cost=usage.cost)
    assert usage.cost == pytest.approx(tokens * PER_TOKEN)
    [point] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert (point.attributes or {})["gen_ai.operation.name"] == "embeddings"


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_what_the_cache_answers_costs_nothing(telemetry: Recorded, model_server: ModelServer, is_async: bool) -> None:
    embedder = hosted(model_server, caching=True, batch_size=1)
    embed(embedder, TEXTS[:1], is_async=is_async)
    with usage_scope() as usage:
        embed(embedder, TEXTS, is_async=is_async)
        embed(embedder, TEXTS, is_async=is_async)
    tokens = tokens_of(model_server)
    assert len(tokens) == 3
    assert (usage.embedding_calls, usage.embedding_tokens) == (1, sum(tokens[1:]))
    hits = [(span.attributes or {})["dspy.cache.hit"] for span in telemetry.named(NAME)]
    assert hits == [False, False, True]


def test_a_module_above_has_them_apart_and_a_function_has_no_price(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    class Library(dspy.Module):  # type: ignore[misc]
        def forward(self, texts: list[str]) -> Any:
            hosted(model_server)(texts)
            dspy.Embedder(lambda batch: [[1.0] for _ in batch], caching=False)(texts)
            return dspy.Prediction(answer="none")

    Library()(texts=TEXTS)
    attributes = telemetry.attributes("invoke_workflow Library")
    assert {name: value for name, value in attributes.items() if name.startswith("dspy.usage.")} == {
        "dspy.usage.lm_calls": 0,
        "dspy.usage.embedding_calls": 2,
        "dspy.usage.embedding_tokens": sum(tokens_of(model_server)),
        "dspy.usage.cost": pytest.approx(sum(tokens_of(model_server)) * PER_TOKEN),
    }


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_bound_ends_a_call_between_two_batches(
    telemetry: Recorded, model_server: ModelServer, is_async: bool
) -> None:
    embedder = hosted(model_server, batch_size=1)
    with pytest.raises(BudgetExceededError) as caught, usage_scope(max_tokens=1):
        embed(embedder, TEXTS, is_async=is_async)
    assert len(model_server.requests) == 1
    assert caught.value.spent.embedding_tokens == tokens_of(model_server)[0]


def test_an_embedder_inside_an_optimizer_run_counts_for_its_role(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    class Library(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            hosted(model_server)([question])
            return self.answer(question=question)

    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)
    trainset = [dspy.Example(question="Where?", answer="no").with_inputs("question")]
    with dspy.context(lm=lm):
        dspy.BootstrapFewShot(metric=lambda *_: True, max_bootstrapped_demos=1).compile(Library(), trainset=trainset)
    attributes = telemetry.attributes("optimize BootstrapFewShot")
    assert attributes["dspy.usage.task.embedding_calls"] == 1
    assert attributes["dspy.usage.task.embedding_tokens"] == attributes["dspy.usage.embedding_tokens"] > 0
    assert telemetry.attributes(NAME)["dspy.optimizer.role"] == "task"
