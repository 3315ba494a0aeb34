"""Spans of language model calls: what was asked, what it used and cost, and what the cache saved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from model_server import Failure, Reply
from opentelemetry.trace import SpanKind, StatusCode

if TYPE_CHECKING:
    from model_server import ModelServer, Request
    from recorded import Recorded

CHAT = "chat gpt-4o-mini"
INPUT_PRICE, CACHED_PRICE, OUTPUT_PRICE = 0.15e-6, 0.075e-6, 0.6e-6
"""Of gpt-4o-mini, in US dollars for one token."""

both_ways = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def call(lm: dspy.LM, asynchronous: bool, *values: Any, **options: Any) -> Any:
    return asyncio.run(lm.acall(*values, **options)) if asynchronous else lm(*values, **options)


def price(request: Request, cached: int = 0) -> float:
    assert request.usage is not None
    tokens_in, tokens_out = request.usage["prompt_tokens"], request.usage["completion_tokens"]
    return float((tokens_in - cached) * INPUT_PRICE + cached * CACHED_PRICE + tokens_out * OUTPUT_PRICE)


@both_ways
def test_the_attributes_of_a_call(
    asynchronous: bool, telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    call(lm, asynchronous, "Where is it?")
    [request] = model_server.requests
    assert request.usage is not None
    span = telemetry.span(CHAT)
    assert (span.kind, span.status.status_code, span.parent) == (SpanKind.CLIENT, StatusCode.UNSET, None)
    attributes = telemetry.attributes(CHAT)
    assert attributes.pop("gen_ai.usage.cost.amount") == pytest.approx(price(request), rel=1e-12)
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "openai.api.type": "chat_completions",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": request.reply_id,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": request.usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": request.usage["completion_tokens"],
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "server.address": "127.0.0.1",
        "server.port": model_server.port,
        "dspy.cache.hit": False,
    }


@both_ways
def test_a_cached_call_shows_cached_and_what_it_saved_and_neither_usage_nor_cost(
    asynchronous: bool, telemetry: Recorded, cached_lm: dspy.LM, model_server: ModelServer
) -> None:
    paid_reply = call(cached_lm, asynchronous, "Where is it?")
    assert call(cached_lm, asynchronous, "Where is it?") == paid_reply
    [request] = model_server.requests
    assert request.usage is not None
    paid, cached = (dict(span.attributes or {}) for span in telemetry.named(CHAT))
    assert (paid["dspy.cache.hit"], cached["dspy.cache.hit"]) == (False, True)
    assert [name for name in cached if name.startswith("gen_ai.usage.")] == []
    assert [name for name in paid if name.startswith("dspy.cache.saved")] == []
    assert cached["dspy.cache.saved_input_tokens"] == request.usage["prompt_tokens"]
    assert cached["dspy.cache.saved_output_tokens"] == request.usage["completion_tokens"]
    assert cached["dspy.cache.saved_cost"] == paid["gen_ai.usage.cost.amount"] == pytest.approx(price(request))
    assert cached["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"


def test_a_call_of_a_predictor_tells_prompt_and_adapter(telemetry: Recorded, lm: dspy.LM) -> None:
    class Desk(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = [dspy.ChainOfThought("question -> answer")]

        def forward(self, question: str) -> Any:
            return self.steps[0](question=question)

    Desk()(question="Where?")
    attributes = telemetry.attributes(CHAT)
    assert attributes["gen_ai.prompt.name"] == "Desk.steps[0].predict"
    assert len(attributes["gen_ai.prompt.version"]) == 12
    assert attributes["dspy.adapter.name"] == "ChatAdapter"
    telemetry.clear()
    lm("Where?")
    assert not {"gen_ai.prompt.name", "gen_ai.prompt.version", "dspy.adapter.name"} & set(telemetry.attributes(CHAT))


def test_a_call_that_the_program_makes_itself_inside_of_a_predictor_has_no_prompt(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    class Direct(dspy.Module):
        def forward(self, question: str) -> Any:
            return lm(question)

    Direct()(question="Where?")
    assert telemetry.tree() == "invoke_workflow Direct\n  chat gpt-4o-mini"
    assert "gen_ai.prompt.name" not in telemetry.attributes(CHAT)


def test_the_settings_of_model_and_call_are_recorded_where_the_conventions_have_a_name(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    configured = lm.copy(temperature=0.2, max_tokens=300, seed=7)
    configured("Where?", temperature=0.9, top_p=0.5, stop=["END"], n=2, frequency_penalty=0.1, presence_penalty=0.3)
    attributes = telemetry.attributes(CHAT)
    requested = {name: value for name, value in attributes.items() if name.startswith("gen_ai.request.")}
    assert requested == {
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.temperature": 0.9,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.max_tokens": 300,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.presence_penalty": 0.3,
    }
    assert attributes["gen_ai.response.finish_reasons"] == ["stop", "stop"]


def test_a_structured_reply_is_asked_for_as_json(telemetry: Recorded, lm: dspy.LM) -> None:
    with dspy.context(adapter=dspy.JSONAdapter()):
        dspy.Predict("question -> answer")(question="Where?")
    attributes = telemetry.attributes(CHAT)
    assert (attributes["gen_ai.output.type"], attributes["dspy.adapter.name"]) == ("json", "JSONAdapter")


@both_ways
def test_cached_and_reasoning_tokens_of_the_provider_are_parts_of_the_whole(
    asynchronous: bool, telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.reply = lambda request: Reply(
        prompt_details={"cached_tokens": 4}, completion_details={"reasoning_tokens": 6}
    )
    call(lm, asynchronous, "one two three four five")
    [request] = model_server.requests
    assert request.usage is not None
    attributes = telemetry.attributes(CHAT)
    assert attributes["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"] == 8
    assert attributes["gen_ai.usage.output_tokens"] == request.usage["completion_tokens"]
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 4
    assert attributes["gen_ai.usage.reasoning.output_tokens"] == 6
    assert attributes["gen_ai.usage.cost.amount"] == pytest.approx(price(request, cached=4), rel=1e-12)


def test_an_unknown_price_is_no_price_and_not_zero(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    unpriced = dspy.LM("openai/house-model", api_base=model_server.url, api_key="test-key", cache=False)
    with dspy.context(lm=unpriced):
        dspy.Predict("question -> answer")(question="Where?")
    attributes = telemetry.attributes("chat house-model")
    assert attributes["gen_ai.usage.input_tokens"] > 0
    assert [name for name in attributes if "cost" in name] == []
    predict = telemetry.attributes("Predict question -> answer")
    assert "dspy.usage.cost" not in predict
    assert predict["dspy.usage.cost_unknown_calls"] == 1
    assert telemetry.metric_points("gen_ai.client.operation.cost") == []


def test_usage_that_is_not_reported_is_not_zero(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    model_server.reply = lambda request: Reply(report_usage=False)
    lm("Where?")
    attributes = telemetry.attributes(CHAT)
    assert [name for name in attributes if name.startswith("gen_ai.usage.")] == []
    assert telemetry.metric_points("gen_ai.client.token.usage") == []


@both_ways
def test_a_failed_call_is_an_error_with_its_type_and_the_same_exception(
    asynchronous: bool, telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.fail_next(Failure(400, "no such thing"))
    with pytest.raises(Exception, match="no such thing") as raised:
        call(lm, asynchronous, "Where?")
    error_type = f"{type(raised.value).__module__}.{type(raised.value).__qualname__}"
    span = telemetry.span(CHAT)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, str(raised.value))
    attributes = telemetry.attributes(CHAT)
    assert attributes["error.type"] == error_type
    assert attributes["dspy.cache.hit"] is False
    assert [name for name in attributes if name.startswith("gen_ai.usage.")] == []
    [duration] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == error_type


def test_a_failed_call_fails_every_module_around_it_and_counts_as_a_call(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.fail_next(Failure(400, "no such thing"))
    with pytest.raises(Exception, match="no such thing"):
        dspy.Predict("question -> answer")(question="Where?")
    assert [span.status.status_code for span in telemetry.spans] == [StatusCode.ERROR] * len(telemetry.spans)
    attributes = telemetry.attributes("Predict question -> answer")
    assert attributes["dspy.usage.lm_calls"] == len(telemetry.named(CHAT))
    assert "dspy.usage.input_tokens" not in attributes


def test_the_metrics_of_calls(telemetry: Recorded, cached_lm: dspy.LM, model_server: ModelServer) -> None:
    cached_lm("one")
    cached_lm("one")
    cached_lm("two words")
    first, second = model_server.requests
    assert first.usage is not None
    assert second.usage is not None
    tokens = {
        point.attributes["gen_ai.token.type"]: point for point in telemetry.metric_points("gen_ai.client.token.usage")
    }
    assert (tokens["input"].count, tokens["output"].count) == (2, 2)
    assert tokens["input"].sum == first.usage["prompt_tokens"] + second.usage["prompt_tokens"]
    assert tokens["output"].sum == first.usage["completion_tokens"] + second.usage["completion_tokens"]
    durations = telemetry.metric_points("gen_ai.client.operation.duration")
    assert sorted((point.attributes.get("dspy.cache.hit", False), point.count) for point in durations) == [
        (False, 2),
        (True, 1),
    ]
    [cost] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert cost.sum == pytest.approx(price(first) + price(second))
    assert dict(cost.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
    }
    requests = telemetry.metric_points("dspy.cache.requests")
    assert sorted((point.attributes["dspy.cache.hit"], point.value) for point in requests) == [(False, 2), (True, 1)]
    [saved] = telemetry.metric_points("dspy.cache.saved_cost")
    assert saved.value == pytest.approx(price(first))


@both_ways
def test_calls_are_recorded_without_history_cache_and_usage_tracker(
    asynchronous: bool, telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    with dspy.context(disable_history=True, max_history_size=0, track_usage=False):
        call(lm, asynchronous, "Where?")
    [request] = model_server.requests
    assert lm.history == []
    assert request.usage is not None
    assert telemetry.attributes(CHAT)["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]


def test_many_calls_at_the_same_time_have_each_their_own_tokens(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    async def ask_all() -> None:
        await asyncio.gather(*(lm.acall("word " * number) for number in range(1, 21)))

    asyncio.run(ask_all())
    spans = [dict(span.attributes or {}) for span in telemetry.named(CHAT)]
    assert len(spans) == 20
    for attributes in spans:
        request = model_server.request_of(str(attributes["gen_ai.response.id"]))
        assert request.usage is not None
        assert attributes["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]
        assert attributes["gen_ai.usage.output_tokens"] == request.usage["completion_tokens"]
    assert len({attributes["gen_ai.usage.input_tokens"] for attributes in spans}) == 20
