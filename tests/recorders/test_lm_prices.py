"""What a call cost: as the reply says, else by DSPy's table, else by that of ``genai-prices``, else it is not known."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import genai_prices
import pytest
from model_server import Reply
from provider_server import ProviderServer, reply_body

from opentelemetry.instrumentation.dspy import usage_scope
from opentelemetry.instrumentation.dspy.language_models import prices

if TYPE_CHECKING:
    from model_server import ModelServer, Request
    from recorded import Recorded

INPUT_PRICE, OUTPUT_PRICE = 0.15e-6, 0.60e-6
"""US dollars for a token of gpt-4o-mini."""


@pytest.fixture
def no_price_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application has not installed ``genai-prices``."""
    monkeypatch.setattr(prices, "_price_table", lambda: None)


def language_model(server: ModelServer, model: str = "openai/gpt-4o-mini", **settings: Any) -> dspy.LM:
    return dspy.LM(model, api_base=server.url, api_key="test-key", **{"cache": False, "num_retries": 0, **settings})


def cost_of(telemetry: Recorded, name: str) -> tuple[Any, Any, Any]:
    attributes = telemetry.attributes(name)
    parts = ("amount", "currency", "source")
    return tuple(attributes.get(f"gen_ai.usage.cost.{part}") for part in parts)  # type: ignore[return-value]


def test_dspys_own_estimate_is_local(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.reply = {"Where?": "There it is."}
    language_model(model_server)("Where?")
    expected = 4 * INPUT_PRICE + 3 * OUTPUT_PRICE
    assert cost_of(telemetry, "chat gpt-4o-mini") == (pytest.approx(expected), "USD", "local")


def test_cached_input_is_priced_as_such(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.reply = lambda request: Reply(text="There it is.", prompt_details={"cached_tokens": 2})
    language_model(model_server)("Where?")
    expected = 2 * INPUT_PRICE + 2 * INPUT_PRICE / 2 + 3 * OUTPUT_PRICE
    assert cost_of(telemetry, "chat gpt-4o-mini") == (pytest.approx(expected), "USD", "local")


def test_what_the_reply_says_comes_before_any_estimate(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.reply = lambda request: Reply(text="There it is.", usage_update={"cost": 0.5})
    with usage_scope() as usage:
        language_model(model_server)("Where?")
    assert cost_of(telemetry, "chat gpt-4o-mini") == (0.5, "USD", "provider")
    assert usage.cost == 0.5
    [point] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert dict(point.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "provider",
    }
    assert point.sum == 0.5


def test_several_replies_that_name_their_prices_cost_the_sum(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.reply = lambda request: Reply(text="There it is.", usage_update={"cost": 0.25})
    language_model(model_server)("Where?", n=2, temperature=1.0)
    assert len(model_server.requests) == 2
    assert cost_of(telemetry, "chat gpt-4o-mini") == (0.5, "USD", "provider")


def test_where_not_all_replies_name_a_price_the_estimate_stands(telemetry: Recorded, model_server: ModelServer) -> None:
    def first_one_only(request: Request) -> Reply:
        return Reply(text="There it is.", usage_update={"cost": 0.25} if request.number == 1 else {})

    model_server.reply = first_one_only
    language_model(model_server)("Where?", n=2, temperature=1.0)
    expected = 2 * (4 * INPUT_PRICE + 3 * OUTPUT_PRICE)
    assert cost_of(telemetry, "chat gpt-4o-mini") == (pytest.approx(expected), "USD", "local")


def test_a_model_that_dspy_has_no_price_for_has_that_of_genai_prices(telemetry: Recorded) -> None:
    """DSPy prices no custom engine; this one names its provider."""
    from dspy.lm15 import AnthropicLM

    with ProviderServer(reply_body("anthropic_messages")) as server:
        engine = AnthropicLM(api_key="test-key", base_url=server.url)
        dspy.LM("claude-sonnet-4-5", engine=engine, cache=False)("Where?")
    usage = genai_prices.Usage(input_tokens=4305, cache_read_tokens=4096, cache_write_tokens=188, output_tokens=393)
    expected = genai_prices.calc_price(usage, model_ref="claude-sonnet-4-5", provider_id="anthropic").total_price
    assert expected > 0
    assert cost_of(telemetry, "chat claude-sonnet-4-5") == (float(expected), "USD", "local")


def test_without_that_package_the_price_is_not_known(telemetry: Recorded, no_price_package: None) -> None:
    from dspy.lm15 import AnthropicLM

    with ProviderServer(reply_body("anthropic_messages")) as server, usage_scope() as usage:
        engine = AnthropicLM(api_key="test-key", base_url=server.url)
        dspy.LM("claude-sonnet-4-5", engine=engine, cache=False)("Where?")
    assert cost_of(telemetry, "chat claude-sonnet-4-5") == (None, None, None)
    assert (usage.cost, usage.cost_unknown_calls, usage.input_tokens) == (0.0, 1, 4305)
    assert telemetry.metric_points("gen_ai.client.operation.cost") == []


def test_a_deployment_has_the_price_of_the_model_that_answered(telemetry: Recorded) -> None:
    from dspy.lm15 import AnthropicLM

    with ProviderServer(reply_body("anthropic_messages")) as server:
        engine = AnthropicLM(api_key="test-key", base_url=server.url)
        dspy.LM("our-deployment", engine=engine, cache=False)("Where?")
        dspy.LM("claude-sonnet-4-5", engine=engine, cache=False)("Where?")
    price = cost_of(telemetry, "chat claude-sonnet-4-5")
    assert price[0] > 0
    assert cost_of(telemetry, "chat our-deployment") == price


def test_a_model_that_nobody_prices_has_no_price(telemetry: Recorded, model_server: ModelServer) -> None:
    language_model(model_server, "openai/our-own-model")("Where?")
    assert cost_of(telemetry, "chat our-own-model") == (None, None, None)


def test_tokens_that_nobody_counted_cost_nothing_that_is_known(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.reply = lambda request: Reply(text="There it is.", report_usage=False)
    with usage_scope() as usage:
        language_model(model_server)("Where?")
    assert cost_of(telemetry, "chat gpt-4o-mini") == (None, None, None)
    assert usage.cost_unknown_calls == 1


def test_known_prices_add_up_beside_unknown_ones(telemetry: Recorded, model_server: ModelServer) -> None:
    class Program(dspy.Module):
        def forward(self) -> None:
            language_model(model_server)("Where?")
            language_model(model_server, "openai/our-own-model")("Where?")

    model_server.reply = lambda request: "There it is."
    Program()()
    attributes = telemetry.attributes("invoke_workflow Program")
    assert attributes["dspy.usage.cost"] == pytest.approx(4 * INPUT_PRICE + 3 * OUTPUT_PRICE)
    assert attributes["dspy.usage.cost_unknown_calls"] == 1
    assert attributes["dspy.usage.lm_calls"] == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_language_model_that_asks_others_has_a_price_only_if_all_have(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    class Router(dspy.BaseLM):
        def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            language_model(model_server)(prompt)
            return language_model(model_server, settings.get("second", "openai/gpt-4o-mini"))(prompt)

    model_server.reply = lambda request: "There it is."
    Router(model="known")("Where?")
    Router(model="unknown")("Where?", second="openai/our-own-model")
    expected = 2 * (4 * INPUT_PRICE + 3 * OUTPUT_PRICE)
    assert cost_of(telemetry, "chat known") == (pytest.approx(expected), "USD", "local")
    assert cost_of(telemetry, "chat unknown") == (None, None, None)
    assert telemetry.attributes("chat unknown")["gen_ai.usage.input_tokens"] == 8


@pytest.mark.parametrize("price", [None, "free", math.nan, -1.0, True, 10**400, [1.0]], ids=str)
def test_what_a_table_gives_that_is_no_price_is_none(
    telemetry: Recorded, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, price: Any
) -> None:
    table = SimpleNamespace(Usage=dict, calc_price=lambda *_, **__: SimpleNamespace(total_price=price))
    monkeypatch.setattr(prices, "_price_table", lambda: table)
    with usage_scope() as usage:
        language_model(model_server, "openai/an-unknown-model")("Where?")
    assert cost_of(telemetry, "chat an-unknown-model") == (None, None, None)
    assert (usage.lm_calls, usage.cost, usage.cost_unknown_calls) == (1, 0.0, 1)
