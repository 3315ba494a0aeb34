"""Prices of the application's own go before those of tables, and behind the one that a reply carries."""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any

import dspy
import genai_prices
import pytest
from model_server import Reply
from provider_server import ProviderServer, reply_body

from opentelemetry.instrumentation.dspy import PricedCall, usage_scope

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

ENGINES = ["lm15", "litellm"]
MESSAGE = "The function of prices= "


def language_model(server: Any, model: str = "openai/gpt-4o-mini", **settings: Any) -> dspy.LM:
    return dspy.LM(model, **{"api_base": server.url, "api_key": "test-key", "cache": False, **settings})


def cost_of(telemetry: Recorded, name: str = "chat gpt-4o-mini") -> tuple[Any, Any]:
    attributes = telemetry.named(name)[-1].attributes or {}
    return attributes.get("gen_ai.usage.cost.amount"), attributes.get("gen_ai.usage.cost.source")


@pytest.fixture
def prices_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "prices.json"
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_PRICES", str(path))
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_a_price_of_ones_own_is_custom_and_goes_before_the_tables(
    start_telemetry: StartTelemetry, model_server: ModelServer, prices_file: Path, engine: str
) -> None:
    model_server.reply = lambda request: Reply(text="There it is.", prompt_details={"cached_tokens": 2})
    prices_file.write_text(json.dumps({"gpt-4o-mini": {"input": 10, "cached_input": 1, "output": 100}}))
    telemetry = start_telemetry()
    with usage_scope() as usage:
        language_model(model_server, engine=engine)("Where?")
    expected = (2 * 10 + 2 * 1 + 3 * 100) / 1e6
    assert cost_of(telemetry) == (pytest.approx(expected), "custom")
    assert usage.cost == pytest.approx(expected)
    [point] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert (point.attributes or {})["gen_ai.usage.cost.source"] == "custom"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_price_in_the_reply_goes_before_ones_own(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str
) -> None:
    asked: list[PricedCall] = []
    model_server.reply = lambda request: Reply(text="There it is.", usage_update={"cost": 0.5})
    telemetry = start_telemetry(prices=lambda call: asked.append(call) or 7.0)
    language_model(model_server, engine=engine)("Where?")
    assert cost_of(telemetry) == (0.5, "provider")
    assert asked == []


@pytest.mark.parametrize(
    "key", ["openai/our-model", "OpenAI/Our-Model", "our-model", "our-model-2024-07-18", "openai/our-model-2024-07-18"]
)
def test_a_model_is_found_by_its_name_with_or_without_provider_or_by_the_one_that_answered(
    start_telemetry: StartTelemetry, model_server: ModelServer, prices_file: Path, key: str
) -> None:
    model_server.reply = {"Where?": "There it is."}
    others = {"anthropic/our-model": {"input": 1, "output": 1}, "our": {"input": 1, "output": 1}}
    prices_file.write_text(json.dumps({**others, key: {"input": 10, "output": 100}}))
    telemetry = start_telemetry()
    language_model(model_server, "openai/our-model")("Where?")
    assert cost_of(telemetry, "chat our-model") == (pytest.approx((4 * 10 + 3 * 100) / 1e6), "custom")


def test_the_more_exact_name_has_its_own_price(
    start_telemetry: StartTelemetry, model_server: ModelServer, prices_file: Path
) -> None:
    names = ["our-model-2024-07-18", "our-model", "openai/our-model"]
    prices_file.write_text(json.dumps({name: {"input": number, "output": 0} for number, name in enumerate(names, 1)}))
    telemetry = start_telemetry()
    language_model(model_server, "openai/our-model")("Where?")
    assert cost_of(telemetry, "chat our-model")[0] == pytest.approx(4 * 3 / 1e6)


def test_a_model_that_is_not_in_the_file_has_the_price_of_the_table(
    start_telemetry: StartTelemetry, model_server: ModelServer, prices_file: Path
) -> None:
    prices_file.write_text(json.dumps({"other": {"input": 1, "output": 1}}))
    telemetry = start_telemetry()
    language_model(model_server)("Where?")
    assert cost_of(telemetry)[1] == "local"


def test_a_free_model_costs_nothing_and_that_is_known(
    start_telemetry: StartTelemetry, model_server: ModelServer, prices_file: Path
) -> None:
    prices_file.write_text(json.dumps({"our-model": {"input": 0, "output": 0}}))
    telemetry = start_telemetry()
    with usage_scope() as usage:
        language_model(model_server, "openai/our-model")("Where?")
    assert cost_of(telemetry, "chat our-model") == (0.0, "custom")
    assert usage.cost_unknown_calls == 0


def test_a_function_is_told_all_that_decides_a_price(start_telemetry: StartTelemetry) -> None:
    asked: list[PricedCall] = []

    def price(call: PricedCall) -> float:
        asked.append(call)
        return 0.25

    telemetry = start_telemetry(prices=price)
    body = reply_body("anthropic_messages")
    body["usage"]["service_tier"] = "batch"
    with ProviderServer(body) as server:
        language_model(server, "anthropic/claude-sonnet-4-5")("Where?")
    assert cost_of(telemetry, "chat claude-sonnet-4-5") == (0.25, "custom")
    assert asked == [
        PricedCall("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "batch", 4305, 393, 4096, 188, None)
    ]


def test_none_leaves_a_call_to_the_tables(start_telemetry: StartTelemetry, model_server: ModelServer) -> None:
    telemetry = start_telemetry(prices=lambda call: None)
    language_model(model_server)("Where?")
    assert cost_of(telemetry)[1] == "local"


class Odd:
    def __float__(self) -> float:
        raise RuntimeError("not now")


@pytest.mark.complaints
@pytest.mark.parametrize(
    ("told", "what"),
    [
        (math.nan, "returned nan"),
        (math.inf, "returned inf"),
        (-1, "returned -1"),
        (1e9, "returned 1000000000.0"),
        (True, "returned True"),
        ("0.5", "returned str"),
        ({"input": 1}, "returned dict"),
        (Odd(), "returned Odd"),
        (RuntimeError("secret"), "raised RuntimeError"),
    ],
)
def test_a_function_that_fails_is_told_once_and_the_price_is_not_known(
    start_telemetry: StartTelemetry, model_server: ModelServer, caplog: pytest.LogCaptureFixture, told: Any, what: str
) -> None:
    def price(call: PricedCall) -> Any:
        if isinstance(told, Exception):
            raise told
        return told

    telemetry = start_telemetry(prices=price)
    with usage_scope() as usage:
        for _ in range(3):
            assert language_model(model_server)("Where?")
    assert cost_of(telemetry) == (None, None)
    assert (usage.lm_calls, usage.cost, usage.cost_unknown_calls) == (3, 0.0, 3)
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage().startswith(f"{MESSAGE}{what}: it takes a PricedCall and returns US dollars, or None")
    assert "secret" not in caplog.text


def test_ctrl_c_in_a_function_reaches_the_program(start_telemetry: StartTelemetry, model_server: ModelServer) -> None:
    def price(call: PricedCall) -> float:
        raise KeyboardInterrupt

    start_telemetry(prices=price)
    with pytest.raises(KeyboardInterrupt):
        language_model(model_server)("Where?")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_cache_hit_saved_what_it_would_have_cost_by_ones_own_prices(
    start_telemetry: StartTelemetry, model_server: ModelServer, engine: str
) -> None:
    telemetry = start_telemetry(prices=lambda call: call.input_tokens * 2.0)
    lm = language_model(model_server, cache=True, engine=engine)
    with usage_scope() as usage:
        lm("Where?")
        lm("Where?")
    assert (usage.cost, usage.cache_hits, usage.saved_cost) == (8.0, 1, 8.0)
    attributes = telemetry.named("chat gpt-4o-mini")[1].attributes or {}
    assert attributes["dspy.cache.saved_cost"] == 8.0
    assert "gen_ai.usage.cost.amount" not in attributes


def test_each_call_of_a_language_model_that_asks_others_is_priced_once(
    start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    asked: list[PricedCall] = []

    def price(call: PricedCall) -> float:
        asked.append(call)
        return 0.25

    class Twice(dspy.LM):
        def forward(self, *values: Any, **options: Any) -> Any:
            super().forward(*values, **options)
            return super().forward(*values, **options)

    telemetry = start_telemetry(prices=price)
    with usage_scope() as usage:
        Twice("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)("Where?")
    assert len(model_server.requests) == 2
    assert usage.cost in (0.25, 0.5)
    assert cost_of(telemetry) == (usage.cost, "custom")


TIERS = {"input": 1, "output": 2, "batch": {"input": 3, "output": 4}, "priority": {"input": 5, "output": 6}}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        (None, (4 * 1 + 3 * 2) / 1e6),
        ("default", (4 * 1 + 3 * 2) / 1e6),
        ("auto", (4 * 1 + 3 * 2) / 1e6),
        ("priority", (4 * 5 + 3 * 6) / 1e6),
        ("PRIORITY", (4 * 5 + 3 * 6) / 1e6),
        ("batch", (4 * 3 + 3 * 4) / 1e6),
        ("flex", None),
        ("scale", None),
    ],
)
def test_the_tier_of_the_reply_has_its_own_price(
    start_telemetry: StartTelemetry,
    model_server: ModelServer,
    prices_file: Path,
    engine: str,
    tier: str | None,
    expected: float | None,
) -> None:
    prices_file.write_text(json.dumps({"gpt-4o-mini": TIERS}))
    model_server.reply = lambda request: Reply(text="There it is.", body_update={"service_tier": tier})
    telemetry = start_telemetry()
    language_model(model_server, engine=engine)("Where?")
    amount, source = cost_of(telemetry)
    assert amount == (None if expected is None else pytest.approx(expected))
    assert source == (None if expected is None else "custom")


@pytest.mark.parametrize("engine", ENGINES)
def test_dspys_table_has_the_price_of_the_tier_that_the_reply_names(
    telemetry: Recorded, model_server: ModelServer, engine: str
) -> None:
    """In the table gpt-4o-mini costs 0.25 and 1.00 dollars per million tokens with priority."""
    model_server.reply = lambda request: Reply(text="There it is.", body_update={"service_tier": "priority"})
    language_model(model_server, engine=engine)("Where?")
    assert cost_of(telemetry) == (pytest.approx((4 * 0.25 + 3 * 1.0) / 1e6), "local")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_of_anthropics_has_the_price_of_batches_and_its_priority_none(telemetry: Recorded, engine: str) -> None:
    costs = []
    for tier in ("standard", "batch", "priority"):
        body = reply_body("anthropic_messages")
        body["usage"]["service_tier"] = tier
        with ProviderServer(body) as server:
            language_model(server, "anthropic/claude-sonnet-4-5", engine=engine)("Where?")
        costs.append(cost_of(telemetry, "chat claude-sonnet-4-5")[0])
    usage = genai_prices.Usage(input_tokens=4305, cache_read_tokens=4096, cache_write_tokens=188, output_tokens=393)
    batch = genai_prices.calc_price(
        usage, model_ref="claude-sonnet-4-5", provider_id="anthropic", price_context={"processing": "batch"}
    ).total_price
    assert costs[1] == pytest.approx(float(batch))
    assert costs[1] == pytest.approx(costs[0] / 2)
    assert costs[2] is None


@pytest.mark.parametrize("engine", ENGINES)
def test_tokens_that_stay_cached_for_an_hour_have_their_own_price(
    start_telemetry: StartTelemetry, prices_file: Path, engine: str
) -> None:
    own = {"input": 0, "output": 0, "cached_input": 0, "cache_write": 1, "cache_write_1h": 100}
    prices_file.write_text(json.dumps({"anthropic/claude-sonnet-4-5": own}))
    telemetry = start_telemetry()
    body = reply_body("anthropic_messages")
    body["usage"]["cache_creation"] = {"ephemeral_5m_input_tokens": 88, "ephemeral_1h_input_tokens": 100}
    with ProviderServer(body) as server:
        language_model(server, "anthropic/claude-sonnet-4-5", engine=engine)("Where?")
    assert cost_of(telemetry, "chat claude-sonnet-4-5") == (pytest.approx((88 + 100 * 100) / 1e6), "custom")


def test_genai_prices_prices_them_apart_too(telemetry: Recorded) -> None:
    """DSPy prices no custom engine; this one names its provider."""
    from dspy.lm15 import AnthropicLM

    costs = []
    for long in (0, 188):
        body = reply_body("anthropic_messages")
        body["usage"]["cache_creation"] = {"ephemeral_5m_input_tokens": 188 - long, "ephemeral_1h_input_tokens": long}
        with ProviderServer(body) as server:
            engine = AnthropicLM(api_key="test-key", base_url=server.url)
            dspy.LM("claude-sonnet-4-5", engine=engine, cache=False)("Where?")
        costs.append(cost_of(telemetry, "chat claude-sonnet-4-5")[0])
    # 3.75 dollars per million for five minutes, 6 for an hour.
    assert costs[1] - costs[0] == pytest.approx(188 * (6 - 3.75) / 1e6)


def test_several_tiers_in_one_call_have_no_price_together(
    start_telemetry: StartTelemetry, model_server: ModelServer, prices_file: Path
) -> None:
    prices_file.write_text(json.dumps({"gpt-4o-mini": TIERS}))
    model_server.reply = lambda request: Reply(
        text="There it is.", body_update={"service_tier": "priority" if request.number == 1 else "default"}
    )
    telemetry = start_telemetry()
    language_model(model_server, engine="lm15")("Where?", n=2, temperature=1.0)
    assert len(model_server.requests) == 2
    assert cost_of(telemetry) == (None, None)
