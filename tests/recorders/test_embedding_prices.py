"""What an embedding costs: as its reply says, by prices of one's own, by the tables; unknown is not zero."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from typing import TYPE_CHECKING, Any

import dspy
import genai_prices
import litellm
import numpy as np
import pytest
from model_server import Failure, Reply
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from provider_server import ProviderServer

from opentelemetry.instrumentation.dspy import PricedCall, Usage, usage_scope
from opentelemetry.instrumentation.dspy.retrieving import embedding_calls

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

MODEL = "text-embedding-3-small"
NAME = f"embeddings {MODEL}"
TEXTS = ["one", "two words", "now three words"]
PER_TOKEN = 0.02 / 1e6
"""US dollars, by LiteLLM's table and by genai-prices."""

COST = "gen_ai.usage.cost.amount"
TOKENS = "gen_ai.usage.input_tokens"


def hosted(server: Any, model: str = f"openai/{MODEL}", **settings: Any) -> dspy.Embedder:
    return dspy.Embedder(model, **{"api_base": server.url, "api_key": "a-key", "caching": False, **settings})


def letters(texts: list[str]) -> list[list[float]]:
    return [[float(text.count(letter)) for letter in "aeiou"] for text in texts]


def tokens_of(model_server: ModelServer) -> list[int]:
    """The tokens of each request that the server answered."""
    return [request.usage["prompt_tokens"] for request in model_server.requests if request.usage is not None]


def price_of(telemetry: Recorded, name: str = NAME) -> tuple[Any, Any, Any]:
    attributes = telemetry.named(name)[-1].attributes or {}
    return tuple(attributes.get(f"gen_ai.usage.cost.{part}") for part in ("amount", "currency", "source"))


def test_a_table_prices_a_call_on_its_span_in_the_totals_and_in_the_metric(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    with usage_scope() as usage:
        hosted(model_server)(TEXTS)
    [tokens] = tokens_of(model_server)
    cost = pytest.approx(tokens * PER_TOKEN)
    assert price_of(telemetry) == (cost, "USD", "local")
    assert usage.total() == Usage(embedding_calls=1, embedding_tokens=tokens, cost=usage.cost)
    assert usage.cost == cost
    assert usage.by_model == {MODEL: usage.total()}
    [point] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert (point.count, point.sum) == (1, cost)
    assert point.attributes == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": MODEL,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
    }


def test_prices_of_ones_own_go_before_the_tables(
    start_telemetry: StartTelemetry, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({f"openai/{MODEL}": {"input": 10, "output": 0}}))
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_PRICES", str(path))
    telemetry = start_telemetry()
    hosted(model_server)(TEXTS)
    [tokens] = tokens_of(model_server)
    assert price_of(telemetry) == (pytest.approx(tokens * 10 / 1e6), "USD", "custom")


def test_a_function_of_ones_own_is_asked_for_each_batch(
    start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    asked: list[PricedCall] = []

    def price(call: PricedCall) -> float:
        asked.append(call)
        return (call.input_tokens or 0) * 0.25 + (call.output_tokens or 0)

    telemetry = start_telemetry(prices=price)
    hosted(model_server, "openai/our-embedder", batch_size=2)(TEXTS)
    assert price_of(telemetry, "embeddings our-embedder") == (sum(tokens_of(model_server)) * 0.25, "USD", "custom")
    assert [call.input_tokens for call in asked] == tokens_of(model_server)
    assert {(call.provider, call.model, call.output_tokens) for call in asked} == {("openai", "our-embedder", 0)}


def test_what_litellm_has_no_price_for_genai_prices_is_asked(telemetry: Recorded) -> None:
    usage = genai_prices.Usage(input_tokens=1_000_000, output_tokens=0)
    expected = genai_prices.calc_price(usage, model_ref="voyage-02", provider_id="voyageai").total_price
    reply = body(model="voyage-02", usage={"total_tokens": 1_000_000})
    with ProviderServer(reply) as server:
        hosted(server, "voyage/voyage-02")("one")
    assert (expected > 0, "voyage/voyage-02" in litellm.model_cost) == (True, False)
    assert price_of(telemetry, "embeddings voyage-02") == (pytest.approx(float(expected)), "USD", "local")


def test_a_model_that_no_table_has_has_no_price(telemetry: Recorded, model_server: ModelServer) -> None:
    with usage_scope() as usage:
        hosted(model_server, "openai/my-deployment", batch_size=1)(TEXTS)
    assert price_of(telemetry, "embeddings my-deployment") == (None, None, None)
    tokens = sum(tokens_of(model_server))
    assert usage.total() == Usage(embedding_calls=1, embedding_tokens=tokens, cost_unknown_calls=1)
    assert telemetry.metric_points("gen_ai.client.operation.cost") == []


def test_a_reply_that_tells_no_tokens_has_no_price(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.reply = lambda request: Reply(text="", report_usage=False)
    with usage_scope() as usage:
        hosted(model_server)(TEXTS)
    assert price_of(telemetry) == (None, None, None)
    assert usage.total() == Usage(embedding_calls=1, cost_unknown_calls=1)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_batches_are_added_up(telemetry: Recorded, model_server: ModelServer, is_async: bool) -> None:
    embedder = hosted(model_server, batch_size=1)
    with usage_scope() as usage:
        asyncio.run(embedder.acall(TEXTS)) if is_async else embedder(TEXTS)
    tokens = tokens_of(model_server)
    assert len(tokens) == 3
    assert telemetry.attributes(NAME)[TOKENS] == sum(tokens)
    assert price_of(telemetry)[0] == pytest.approx(sum(tokens) * PER_TOKEN)
    assert (usage.embedding_calls, usage.embedding_tokens) == (1, sum(tokens))
    assert usage.cost == pytest.approx(sum(tokens) * PER_TOKEN)
    [point] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert point.count == 1


def test_what_one_of_several_replies_does_not_tell_leaves_the_price_of_the_call_unknown(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    model_server.reply = lambda request: Reply(text="", report_usage=request.number != 2)
    with usage_scope() as usage:
        hosted(model_server, batch_size=1)(TEXTS)
    told = sum(tokens_of(model_server))
    assert TOKENS not in telemetry.attributes(NAME)
    assert price_of(telemetry) == (None, None, None)
    assert (usage.embedding_calls, usage.embedding_tokens, usage.cost_unknown_calls) == (1, told, 1)
    assert usage.cost == pytest.approx(told * PER_TOKEN)


def test_what_the_cache_answers_whole_costs_nothing_and_is_no_call(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    embedder = hosted(model_server, caching=True)
    embedder(TEXTS)
    with usage_scope() as usage:
        embedder(TEXTS)
    assert len(model_server.requests) == 1
    assert price_of(telemetry) == (None, None, None)
    assert usage.total() == Usage()
    [point] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert point.count == 1


def test_what_the_cache_answers_in_part_is_priced_for_the_rest(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = hosted(model_server, caching=True, batch_size=1)
    embedder(TEXTS[:1])
    with usage_scope() as usage:
        embedder(TEXTS)
    _, *rest = tokens_of(model_server)
    assert len(rest) == 2
    assert price_of(telemetry)[0] == pytest.approx(sum(rest) * PER_TOKEN)
    assert (usage.embedding_calls, usage.embedding_tokens) == (1, sum(rest))
    assert usage.cost == pytest.approx(sum(rest) * PER_TOKEN)


def test_a_call_that_fails_half_way_costs_what_was_answered(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.fail_when(lambda request: request.number == 2, Failure(401, "no such key"))
    with pytest.raises(Exception, match="no such key"), usage_scope() as usage:
        hosted(model_server, batch_size=1)(TEXTS)
    [tokens] = tokens_of(model_server)
    assert price_of(telemetry)[0] == pytest.approx(tokens * PER_TOKEN)
    assert telemetry.attributes(NAME)[TOKENS] == tokens
    assert (usage.embedding_calls, usage.embedding_tokens, usage.cost_unknown_calls) == (1, tokens, 0)
    assert usage.cost == pytest.approx(tokens * PER_TOKEN)


def test_a_call_that_fails_at_once_is_a_call_of_no_price(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.fail_when(lambda request: True, Failure(401, "no such key"))
    with pytest.raises(Exception, match="no such key"), usage_scope() as usage:
        hosted(model_server)(TEXTS)
    assert usage.total() == Usage(embedding_calls=1)


def test_what_is_not_embedded_at_all_is_no_call(telemetry: Recorded, model_server: ModelServer) -> None:
    with usage_scope() as usage:
        hosted(model_server)([])
        with pytest.raises(ValueError, match="must be strings"):
            hosted(model_server)([1, 2])
    assert usage.total() == Usage()


def test_a_function_has_no_price_and_none_is_missing(telemetry: Recorded) -> None:
    with usage_scope() as usage:
        dspy.Embedder(letters, caching=False)(TEXTS)
    assert price_of(telemetry, "embeddings letters") == (None, None, None)
    assert usage.total() == Usage(embedding_calls=1)
    assert telemetry.metric_points("gen_ai.client.operation.cost") == []


def test_an_embedder_with_a_call_of_its_own_is_a_call_too(telemetry: Recorded) -> None:
    class Own(dspy.Embedder):
        def __call__(self, inputs: Any, **options: Any) -> Any:
            return np.array(letters(inputs))

    with usage_scope() as usage:
        Own(letters)(TEXTS)
    assert usage.total() == Usage(embedding_calls=1)


@pytest.mark.parametrize("size", [1, 200], ids=["batches", "one batch"])
def test_a_function_that_asks_a_hosted_model_costs_what_that_costs(
    telemetry: Recorded, model_server: ModelServer, size: int
) -> None:
    inner = hosted(model_server, batch_size=size)
    with usage_scope() as usage:
        dspy.Embedder(lambda texts: inner([f"query: {text}" for text in texts]), caching=False, batch_size=2)(TEXTS)
    tokens = sum(tokens_of(model_server))
    [span] = telemetry.spans
    assert (span.attributes or {})[TOKENS] == tokens
    assert (span.attributes or {})[COST] == pytest.approx(tokens * PER_TOKEN)
    assert (usage.embedding_calls, usage.embedding_tokens, usage.cost_unknown_calls) == (1, tokens, 0)
    assert usage.cost == pytest.approx(tokens * PER_TOKEN)
    [point] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert (point.count, point.sum) == (1, usage.cost)


def test_what_is_not_sampled_is_counted_and_measured(
    start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    with usage_scope() as usage:
        hosted(model_server)(TEXTS)
    assert telemetry.spans == []
    [point] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert point.sum == usage.cost > 0


def body(**members: Any) -> dict[str, Any]:
    """A reply as a hosted model sends it."""
    vector = {"object": "embedding", "index": 0, "embedding": [1.0]}
    return {"object": "list", "model": MODEL, "data": [vector], **members}


def test_the_price_that_a_proxy_tells_goes_before_ones_own(start_telemetry: StartTelemetry) -> None:
    asked: list[PricedCall] = []
    telemetry = start_telemetry(prices=lambda call: asked.append(call) or 7.0)
    price = {"x-litellm-response-cost": "0.0042"}
    with usage_scope() as usage, ProviderServer(body(usage={"prompt_tokens": 9, "total_tokens": 9}), price) as server:
        hosted(server)("one")
    assert price_of(telemetry) == (0.0042, "USD", "provider")
    assert (usage.cost, usage.embedding_tokens) == (0.0042, 9)
    assert asked == []


ODD_COUNTS = [math.nan, math.inf, -8, 2.5, 10**30, "8", "many", None, [8], {"tokens": 8}, True, 0]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("count", ODD_COUNTS, ids=repr)
def test_a_count_that_is_none_is_not_added_up_and_nothing_is_priced_by_it(telemetry: Recorded, count: Any) -> None:
    with usage_scope() as usage, ProviderServer(body(usage={"prompt_tokens": count, "total_tokens": 8})) as server:
        assert hosted(server, f"litellm_proxy/{MODEL}")("one").shape == (1,)
    assert TOKENS not in telemetry.attributes(NAME)
    assert price_of(telemetry) == (None, None, None)
    assert usage.total() == Usage(embedding_calls=1, cost_unknown_calls=1)


@pytest.mark.parametrize("price", ["nan", "inf", "-0.5", "1e9", "much", "[0.5]", ""])
def test_a_price_that_is_none_is_not_taken(telemetry: Recorded, price: str) -> None:
    told = {"x-litellm-response-cost": price}
    reply = body(model="my-deployment", usage={"prompt_tokens": 9, "total_tokens": 9})
    with usage_scope() as usage, ProviderServer(reply, told) as server:
        hosted(server, "openai/my-deployment")("one")
    assert price_of(telemetry, "embeddings my-deployment") == (None, None, None)
    assert usage.total() == Usage(embedding_calls=1, embedding_tokens=9, cost_unknown_calls=1)


def test_a_price_of_nothing_is_known(start_telemetry: StartTelemetry, model_server: ModelServer) -> None:
    telemetry = start_telemetry(prices=lambda call: 0.0)
    with usage_scope() as usage:
        hosted(model_server)(TEXTS)
    assert price_of(telemetry) == (0.0, "USD", "custom")
    assert (usage.cost, usage.cost_unknown_calls) == (0.0, 0)


@pytest.mark.complaints
def test_what_fails_in_pricing_fails_in_no_call_and_is_told(
    telemetry: Recorded, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("not today")

    monkeypatch.setattr(embedding_calls, "settle_price", fails)
    with usage_scope() as usage:
        assert hosted(model_server)(TEXTS).shape == (3, 8)
    assert price_of(telemetry) == (None, None, None)
    assert usage.total() == Usage(embedding_calls=1, cost_unknown_calls=1)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] != []
