"""Prices of the application's own hold on every DSPy, whichever client asks the model."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import ENGINES
from model_server import Reply

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartTelemetry
    from model_server import ModelServer

CLIENTS = [{"engine": "lm15"}, {"engine": "litellm"}] if ENGINES.given else [{}]


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("client", CLIENTS, ids=str)
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({}, (0.000340, "custom")),
        ({"body_update": {"service_tier": "priority"}}, (0.000680, "custom")),
        ({"body_update": {"service_tier": "flex"}}, (None, None)),
        ({"usage_update": {"cost": 0.5}}, (0.5, "provider")),
    ],
    ids=["ordinary", "priority", "a tier without prices", "a price in the reply"],
)
def test_a_file_of_prices_goes_before_tables_and_behind_the_reply(
    start_telemetry: StartTelemetry,
    model_server: ModelServer,
    tmp_path: Path,
    client: dict[str, Any],
    how: str,
    reply: dict[str, Any],
    expected: tuple[float | None, str | None],
) -> None:
    path = tmp_path / "prices.json"
    ordinary, doubled = {"input": 10, "output": 100}, {"input": 20, "output": 200}
    path.write_text(json.dumps({"gpt-4o-mini": {**ordinary, "priority": doubled}}))
    telemetry = start_telemetry(prices=str(path))
    model_server.reply = lambda request: Reply(text="There it is.", **reply)
    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False, **client)
    with usage_scope() as usage:
        lm("Where?") if how == "sync" else asyncio.run(lm.acall("Where?"))
    attributes = telemetry.attributes("chat gpt-4o-mini")
    amount, source = expected
    assert attributes.get("gen_ai.usage.cost.amount") == (None if amount is None else pytest.approx(amount))
    assert attributes.get("gen_ai.usage.cost.source") == source
    assert usage.cost == pytest.approx(amount or 0.0)
    assert usage.cost_unknown_calls == (amount is None)
