"""A call of ``dspy.LM`` is one inference span with its own tokens and price, on every DSPy and every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import RESPONSES
from model_server import Reply, ToolCall
from opentelemetry.trace import SpanKind, StatusCode

if TYPE_CHECKING:
    from conftest import MakeLM
    from model_server import ModelServer, Request
    from recorded import Recorded

INPUT_PRICE, OUTPUT_PRICE = 0.15e-6, 0.60e-6
"""US dollars for a token of gpt-4o-mini, in LiteLLM's table and in DSPy's."""


def price(request: Request) -> float:
    assert request.usage is not None
    return request.usage["prompt_tokens"] * INPUT_PRICE + request.usage["completion_tokens"] * OUTPUT_PRICE


def assert_is_the_span_of(attributes: dict[str, Any], request: Request, server: ModelServer) -> None:
    """Everything that the server knows of a chat call stands on its span."""
    assert request.usage is not None
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": request.reply_id,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": request.usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": request.usage["completion_tokens"],
        "gen_ai.usage.cost.amount": pytest.approx(price(request)),
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "server.address": server.host,
        "server.port": server.port,
        "dspy.cache.hit": False,
    }
    assert {name: attributes.get(name) for name in expected} == expected


def test_a_call_outside_of_any_module_is_one_client_span(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    make_lm()("Where?")
    [span] = telemetry.spans
    assert (span.name, span.kind, span.parent) == ("chat gpt-4o-mini", SpanKind.CLIENT, None)
    assert span.status.status_code is StatusCode.UNSET
    assert_is_the_span_of(telemetry.attributes("chat gpt-4o-mini"), model_server.requests[0], model_server)


async def test_an_async_call_is_recorded_like_a_sync_one(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    await make_lm().acall("Where?")
    assert telemetry.tree() == "chat gpt-4o-mini"
    assert_is_the_span_of(telemetry.attributes("chat gpt-4o-mini"), model_server.requests[0], model_server)


@pytest.mark.parametrize("adapter", ["ChatAdapter", "JSONAdapter"])
def test_a_call_by_a_predictor_names_its_adapter_and_its_prompt(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, adapter: str
) -> None:
    make_lm()
    with dspy.context(adapter=getattr(dspy, adapter)()):
        dspy.ChainOfThought("question -> answer")(question="Where?")
    assert telemetry.tree() == (
        "ChainOfThought question -> answer\n  Predict question -> reasoning, answer\n    chat gpt-4o-mini"
    )
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert_is_the_span_of(attributes, model_server.requests[0], model_server)
    assert attributes["dspy.adapter.name"] == adapter
    assert attributes["gen_ai.prompt.name"] == "ChainOfThought.predict"
    assert attributes.get("gen_ai.output.type") == ("json" if adapter == "JSONAdapter" else None)


def test_the_modules_above_a_call_add_up_what_it_used(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    make_lm()
    program = dspy.ChainOfThought("question -> answer")
    program(question="Where?")
    program(question="Where else?")
    for span, request in zip(telemetry.named("ChainOfThought question -> answer"), model_server.requests, strict=True):
        assert request.usage is not None
        expected = {
            "dspy.usage.lm_calls": 1,
            "dspy.usage.input_tokens": request.usage["prompt_tokens"],
            "dspy.usage.output_tokens": request.usage["completion_tokens"],
            "dspy.usage.cost": pytest.approx(price(request)),
        }
        assert {name: (span.attributes or {}).get(name) for name in expected} == expected


def test_the_metrics_have_the_tokens_and_the_price_of_each_call(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    language_model = make_lm()
    language_model("Where?")
    language_model("Where else?")
    usages = [request.usage for request in model_server.requests if request.usage is not None]
    tokens = {
        (point.attributes or {})["gen_ai.token.type"]: point.sum
        for point in telemetry.metric_points("gen_ai.client.token.usage")
    }
    assert tokens == {
        "input": sum(usage["prompt_tokens"] for usage in usages),
        "output": sum(usage["completion_tokens"] for usage in usages),
    }
    [duration] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert duration.count == 2
    [cost] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert cost.sum == pytest.approx(sum(map(price, model_server.requests)))


def test_several_replies_have_a_finish_reason_each_and_the_tokens_of_all(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    make_lm()("Where?", n=3, temperature=1.0)
    attributes = telemetry.attributes("chat gpt-4o-mini")
    usages = [request.usage for request in model_server.requests if request.usage is not None]
    assert attributes["gen_ai.request.choice.count"] == 3
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"] * 3
    assert attributes["gen_ai.usage.input_tokens"] == sum(usage["prompt_tokens"] for usage in usages)
    assert attributes["gen_ai.usage.output_tokens"] == sum(usage["completion_tokens"] for usage in usages)


def test_what_the_call_sets_goes_before_what_the_language_model_sets(telemetry: Recorded, make_lm: MakeLM) -> None:
    make_lm(temperature=0.7, max_tokens=50, top_p=0.9)("Where?", temperature=0.2, stop=["END"], seed=7)
    attributes = telemetry.attributes("chat gpt-4o-mini")
    parameters = {name: value for name, value in attributes.items() if name.startswith("gen_ai.request.")}
    assert parameters == {
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.seed": 7,
    }


def test_a_text_model_completes_text(telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM) -> None:
    make_lm("openai/gpt-3.5-turbo-instruct", model_type="text")("Where?")
    [request] = model_server.requests
    assert (request.path, request.usage is not None) == ("/v1/completions", True)
    attributes = telemetry.attributes("text_completion gpt-3.5-turbo-instruct")
    assert attributes["gen_ai.operation.name"] == "text_completion"
    assert attributes["gen_ai.response.id"] == request.reply_id
    assert attributes["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]
    assert attributes["gen_ai.usage.output_tokens"] == request.usage["completion_tokens"]
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]


def test_a_model_of_the_responses_api_is_recorded_like_a_chat_model(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    if RESPONSES.is_missing():
        return
    make_lm(model_type="responses")("Where?")
    [request] = model_server.requests
    assert request.path == "/v1/responses"
    assert request.usage is not None
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert attributes["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert attributes["gen_ai.usage.input_tokens"] == request.usage["input_tokens"]
    assert attributes["gen_ai.usage.output_tokens"] == request.usage["output_tokens"]


def test_a_reply_that_calls_a_tool_says_so(telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM) -> None:
    function = {"name": "search", "description": "Search.", "parameters": {"type": "object", "properties": {}}}
    model_server.reply = lambda request: Reply(text="Let me see.", tool_calls=[ToolCall("search")])
    make_lm()("Where?", tools=[{"type": "function", "function": function}])
    assert telemetry.attributes("chat gpt-4o-mini")["gen_ai.response.finish_reasons"] == ["tool_call"]


def test_a_reply_that_was_cut_says_so(telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM) -> None:
    model_server.reply = lambda request: Reply(text="It is", finish_reason="length")
    make_lm(max_tokens=2)("Where?")
    assert telemetry.attributes("chat gpt-4o-mini")["gen_ai.response.finish_reasons"] == ["length"]


def test_cached_and_reasoning_tokens_are_part_of_the_tokens(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    model_server.reply = lambda request: Reply(
        text="There.", prompt_details={"cached_tokens": 5}, completion_details={"reasoning_tokens": 20}
    )
    make_lm()("One two three four five six")
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert attributes["gen_ai.usage.input_tokens"] == 9
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 5
    assert attributes["gen_ai.usage.output_tokens"] == 21
    assert attributes["gen_ai.usage.reasoning.output_tokens"] == 20
    assert attributes["dspy.cache.hit"] is False


def test_a_price_in_the_reply_is_the_price(telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM) -> None:
    model_server.reply = lambda request: Reply(text="There.", usage_update={"cost": 0.0123})
    make_lm()("Where?")
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert attributes["gen_ai.usage.cost.amount"] == 0.0123
    assert attributes["gen_ai.usage.cost.source"] == "provider"


def test_a_call_without_a_known_price_has_none(telemetry: Recorded, make_lm: MakeLM) -> None:
    make_lm("openai/my-own-model")
    dspy.Predict("question -> answer")(question="Where?")
    attributes = telemetry.attributes("chat my-own-model")
    assert [name for name in attributes if name.startswith("gen_ai.usage.cost")] == []
    assert attributes["gen_ai.usage.input_tokens"] > 0
    predictor = telemetry.attributes("Predict question -> answer")
    assert predictor["dspy.usage.cost_unknown_calls"] == 1
    assert "dspy.usage.cost" not in predictor


@pytest.mark.parametrize("settings", [{"disable_history": True}, {"max_history_size": 0}], ids=str)
def test_without_history_the_telemetry_is_the_same(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, settings: dict[str, Any]
) -> None:
    from capabilities import HISTORY_SIZE

    if "max_history_size" in settings and HISTORY_SIZE.is_missing():
        return
    language_model = make_lm()
    with dspy.context(**settings):
        language_model("Where?")
    assert language_model.history == []
    assert_is_the_span_of(telemetry.attributes("chat gpt-4o-mini"), model_server.requests[0], model_server)
