"""Embeddings count towards every bound, and end at it: calls as they are sent, tokens and dollars as they are told."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from desk import Desk
from stopped import QUESTIONS, ask, stopped, stopped_scope

from opentelemetry.instrumentation.dspy import BudgetExceededError, Usage, UsageScope, usage_scope

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

MODEL = "text-embedding-3-small"
TEXTS = [f"Text {number}" for number in range(20)]
"""Each of them has the same number of tokens as the others of its length."""


def hosted(model_server: ModelServer, model: str = MODEL, **settings: Any) -> dspy.Embedder:
    return dspy.Embedder(
        f"openai/{model}", **{"api_base": model_server.url, "api_key": "a-key", "caching": False, **settings}
    )


def one_by_one(embedder: dspy.Embedder, texts: list[str] = TEXTS) -> None:
    for text in texts:
        embedder([text])


def cost_of_one(embedder: dspy.Embedder) -> Usage:
    with usage_scope() as one:
        embedder(TEXTS[:1])
    return one.total()


def test_calls_of_language_models_and_embedders_are_counted_together(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    embedder = hosted(model_server)

    def work() -> None:
        for question in QUESTIONS:
            embedder([question])
            lm(question)

    error = stopped(work, max_calls=5)
    assert len(model_server.requests) == 5
    assert (error.bound, error.spent.lm_calls, error.spent.embedding_calls, error.under_way) == ("max_calls", 2, 3, 0)


def test_a_call_of_several_batches_is_one(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = hosted(model_server, batch_size=1)
    error = stopped(lambda: [embedder(TEXTS[:3]) for _ in range(3)], max_calls=2)
    assert len(model_server.requests) == 6
    assert (error.spent.embedding_calls, error.under_way) == (2, 0)


def test_tokens_of_embeddings_are_counted(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = hosted(model_server)
    one = cost_of_one(embedder)
    error = stopped(lambda: one_by_one(embedder, TEXTS[:9]), max_tokens=3 * one.embedding_tokens)
    assert (error.bound, error.spent.embedding_calls, error.spent.embedding_tokens) == (
        "max_tokens",
        3,
        3 * one.embedding_tokens,
    )
    assert len(model_server.requests) == 1 + 3


def test_dollars_of_embeddings_are_counted(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = hosted(model_server)
    one = cost_of_one(embedder)
    error = stopped(lambda: one_by_one(embedder, TEXTS[:9]), max_cost=2.5 * one.cost)
    assert (error.bound, error.spent.embedding_calls) == ("max_cost", 3)
    assert error.spent.cost == pytest.approx(3 * one.cost)
    assert error.by_model == {MODEL: error.spent}
    assert len(model_server.requests) == 1 + 3


@pytest.mark.parametrize(
    ("bound", "model"), [("max_cost", MODEL), ("max_tokens", MODEL), ("max_tokens", "my-deployment")]
)
def test_a_call_of_many_batches_ends_between_two_of_them(
    telemetry: Recorded, model_server: ModelServer, bound: str, model: str
) -> None:
    one = cost_of_one(hosted(model_server, model))
    amount = one.cost if bound == "max_cost" else one.embedding_tokens
    many = hosted(model_server, model, batch_size=1)
    error = stopped(lambda: many(TEXTS[:9]), **{bound: amount * 2 if bound == "max_tokens" else amount * 1.5})
    assert len(model_server.requests) == 1 + 2
    assert (error.spent.embedding_calls, error.spent.embedding_tokens) == (1, 2 * one.embedding_tokens)
    attributes = telemetry.named(f"embeddings {model}")[-1].attributes or {}
    assert attributes["error.type"] == "opentelemetry.instrumentation.dspy.BudgetStop"
    assert attributes["gen_ai.usage.input_tokens"] == 2 * one.embedding_tokens


def test_the_call_that_was_cut_is_in_the_total_behind_the_block(telemetry: Recorded, model_server: ModelServer) -> None:
    one = cost_of_one(hosted(model_server))
    _, usage = stopped_scope(lambda: hosted(model_server, batch_size=1)(TEXTS[:9]), max_tokens=one.embedding_tokens)
    assert usage.total() == Usage(embedding_calls=1, embedding_tokens=one.embedding_tokens, cost=one.cost)


def test_one_that_is_refused_at_once_is_no_call(telemetry: Recorded, model_server: ModelServer) -> None:
    _, usage = stopped_scope(lambda: hosted(model_server)(TEXTS[:1]), max_calls=0)
    assert (usage.total(), model_server.requests) == (Usage(), [])


def test_what_the_cache_answers_whole_is_free(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = hosted(model_server, caching=True)
    embedder(["known"])
    with usage_scope(max_calls=1) as usage:
        for _ in range(3):
            embedder(["known"])
        embedder(["new"])
    assert (usage.exceeded, usage.embedding_calls, len(model_server.requests)) == (None, 1, 2)


def test_a_function_counts_as_a_call_and_has_no_unknown_price(telemetry: Recorded) -> None:
    embedder = dspy.Embedder(lambda texts: [[1.0] for _ in texts], caching=False)
    with usage_scope(max_cost=0.01, on_unknown="refuse") as usage:
        one_by_one(embedder, TEXTS[:4])
    assert (usage.exceeded, usage.embedding_calls, usage.cost_unknown_calls) == (None, 4, 0)
    assert stopped(lambda: one_by_one(embedder), max_calls=2).spent.embedding_calls == 2


def test_one_of_unknown_price_can_be_refused(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = hosted(model_server, "my-deployment")
    error = stopped(lambda: one_by_one(embedder), max_cost=1.0, on_unknown="refuse")
    assert (error.bound, len(model_server.requests)) == ("unknown_price", 1)


def test_tokens_of_unknown_price_cost_what_other_embedded_tokens_cost(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    """A language model's tokens cost more: they say nothing of those of embedders, and the other way round."""
    priced, nameless = hosted(model_server), hosted(model_server, "my-deployment")
    one = cost_of_one(priced)
    with usage_scope() as asked:
        lm(QUESTIONS[0])

    def work() -> None:
        lm(QUESTIONS[0])
        priced(TEXTS[:1])
        one_by_one(nameless, TEXTS[:9])

    before = len(model_server.requests)
    error = stopped(work, max_cost=asked.cost + 3.5 * one.cost)
    assert len(model_server.requests) - before == 2 + 3
    assert (error.bound, error.spent.cost_unknown_calls) == ("max_cost", 3)
    assert error.spent.cost == pytest.approx(asked.cost + one.cost)


@pytest.mark.parametrize("batches", [False, True], ids=["calls", "batches"])
def test_where_no_embedder_has_a_price_they_cost_what_a_language_model_takes(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, batches: bool
) -> None:
    nameless = hosted(model_server, "my-deployment", batch_size=1)
    one = cost_of_one(nameless)
    with usage_scope() as asked:
        lm(QUESTIONS[0])
    average = asked.cost / (asked.input_tokens + asked.output_tokens)

    def work() -> None:
        lm(QUESTIONS[0])
        nameless(TEXTS[:9]) if batches else one_by_one(nameless, TEXTS[:9])

    before = len(model_server.requests)
    stopped(work, max_cost=asked.cost + 2.5 * one.embedding_tokens * average)
    assert len(model_server.requests) - before == 1 + 3


def test_embedded_tokens_say_nothing_of_what_a_language_model_costs(
    telemetry: Recorded, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    nameless = dspy.LM("openai/my-model", api_base=model_server.url, api_key="a-key", cache=False)
    dspy.configure(lm=nameless)
    with usage_scope(max_cost=0.5) as usage:
        hosted(model_server)(TEXTS[:1])
        ask(Desk(), QUESTIONS[:2])
        hosted(model_server)(TEXTS[:1])
    assert usage.exceeded is None
    [warning] = [record.getMessage() for record in caplog.records if "budgets" in record.name]
    assert "does not see what calls of these models cost" in warning
    assert "my-model" in warning
    assert MODEL not in warning
    caplog.clear()


def test_the_process_budget_counts_embeddings(
    start_telemetry: StartTelemetry,
    model_server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_BUDGET_USD", "0.00000009")
    start_telemetry()
    embedder = hosted(model_server)
    with pytest.raises(BudgetExceededError) as caught:
        one_by_one(embedder)
    assert 0 < len(model_server.requests) < len(TEXTS)
    assert caught.value.spent.embedding_calls == len(model_server.requests)
    assert caught.value.spent.cost >= 0.00000009
    assert [record.levelno for record in caplog.records if "budgets" in record.name] == [logging.WARNING, logging.ERROR]
    caplog.clear()


def test_the_error_tells_embeddings(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    def work() -> None:
        lm(QUESTIONS[0])
        one_by_one(hosted(model_server))

    error = stopped(work, max_calls=3)
    tokens = error.spent.input_tokens + error.spent.output_tokens + error.spent.embedding_tokens
    assert (
        f" on 3 calls and {tokens} tokens, of which 2 calls and {error.spent.embedding_tokens} tokens of embedders ("
        in str(error)
    )
    assert f"{MODEL} $" in str(error)
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.spent, str(copied)) == (error.spent, str(error))


def test_embeddings_of_another_process_use_up_a_bound(telemetry: Recorded, model_server: ModelServer) -> None:
    elsewhere = UsageScope()
    elsewhere.add(Usage(embedding_calls=2, embedding_tokens=50, cost=0.25), MODEL)
    export = elsewhere.export()

    def work() -> None:
        with usage_scope(max_calls=3) as usage:
            usage.merge(export)
            one_by_one(hosted(model_server))

    with pytest.raises(BudgetExceededError) as caught:
        work()
    assert len(model_server.requests) == 1
    assert (caught.value.spent.embedding_calls, caught.value.under_way) == (3, 0)


def test_an_evaluation_ends_where_its_embeddings_have_used_up_the_bound(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    embedder = hosted(model_server)
    one = cost_of_one(embedder)

    class Embedding(dspy.Module):
        def forward(self, question: str) -> Any:
            embedder(TEXTS[:1])
            return dspy.Prediction(answer="none")

    devset = [dspy.Example(question=question).with_inputs("question") for question in QUESTIONS]
    evaluate = dspy.Evaluate(devset=devset, metric=lambda *_: True, num_threads=1)
    error = stopped(lambda: evaluate(Embedding()), max_tokens=4 * one.embedding_tokens)
    assert error.spent.embedding_calls == 4
    assert telemetry.attributes("evaluate <lambda>")["dspy.budget.exceeded"] == "max_tokens"
    assert telemetry.attributes("evaluate <lambda>")["dspy.usage.embedding_calls"] == 4
