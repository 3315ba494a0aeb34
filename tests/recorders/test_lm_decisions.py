"""Decision clients, which answer questions about a state instead of writing text, are recorded like language models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.experimental import Noul, TypeSafe
from opentelemetry.trace import SpanKind, StatusCode
from provider_server import ProviderServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartTelemetry
    from recorded import Recorded

STATE = {"text": "Where?"}
QUESTIONS = {"asks": {"type": "noul", "instructions": "Is it a question?"}}
REPLY = {
    "model": "jev-1.13.0",
    "usage": {"input_tokens": 120, "output_tokens": 3},
    "answers": {"asks": {"type": "noul", "noul": 0.9}},
}
CHAT = "chat jev-latest"


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    """The decision service, as its own client speaks to it."""
    with ProviderServer(REPLY) as server:
        yield server


def client(server: ProviderServer, **settings: Any) -> TypeSafe:
    return TypeSafe(base_url=server.url, api_key="test-key", **settings)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_a_decision_is_one_span_with_its_tokens(
    telemetry: Recorded, server: ProviderServer, asynchronous: bool
) -> None:
    decide = client(server, cache=False)
    answers = await decide.acall(STATE, QUESTIONS) if asynchronous else decide(STATE, QUESTIONS)
    assert answers == {"asks": {"noul": 0.9}}
    assert telemetry.span(CHAT).kind is SpanKind.CLIENT
    attributes = telemetry.attributes(CHAT)
    # The price comes from a table that grows.
    assert attributes.pop("gen_ai.usage.cost.amount") > 0
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "typesafe",
        "gen_ai.request.model": "jev-latest",
        "gen_ai.response.model": "jev-1.13.0",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "server.address": server.host,
        "server.port": server.port,
        "dspy.cache.hit": False,
    }


def test_a_decision_from_the_cache_saves_its_tokens_and_its_price(telemetry: Recorded, server: ProviderServer) -> None:
    decide = client(server)
    assert decide(STATE, QUESTIONS) == decide(STATE, QUESTIONS)
    assert len(server.requests) == 1
    first, hit = (dict(span.attributes or {}) for span in telemetry.named(CHAT))
    assert hit["dspy.cache.hit"] is True
    assert [name for name in hit if name.startswith("gen_ai.usage.")] == []
    assert (hit["dspy.cache.saved_input_tokens"], hit["dspy.cache.saved_output_tokens"]) == (120, 3)
    assert hit["dspy.cache.saved_cost"] == first["gen_ai.usage.cost.amount"]


def test_a_predictor_of_decisions_adds_up_its_calls(telemetry: Recorded, server: ProviderServer) -> None:
    class Judge(dspy.Signature):
        text: str = dspy.InputField()
        asks: Noul = dspy.OutputField(desc="Is it a question?")

    dspy.configure(lm=client(server, cache=False))
    assert dspy.Predict(Judge)(text="Where?").asks.value is True
    assert telemetry.tree() == f"Predict Judge\n  {CHAT}"
    predictor = telemetry.attributes("Predict Judge")
    assert predictor["dspy.usage.lm_calls"] == 1
    assert (predictor["dspy.usage.input_tokens"], predictor["dspy.usage.output_tokens"]) == (120, 3)


def test_without_history_the_telemetry_is_the_same(telemetry: Recorded, server: ProviderServer) -> None:
    with dspy.context(disable_history=True):
        client(server, cache=False)(STATE, QUESTIONS)
    assert telemetry.attributes(CHAT)["gen_ai.usage.input_tokens"] == 120


def test_with_consent_state_questions_and_answers_are_recorded(
    start_telemetry: StartTelemetry, server: ProviderServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    client(server, cache=False)(STATE, questions=QUESTIONS)
    attributes = telemetry.attributes(CHAT)
    [asked] = json.loads(attributes["gen_ai.input.messages"])
    assert json.loads(asked["parts"][0]["content"]) == {"state": STATE, "questions": QUESTIONS}
    [answered] = json.loads(attributes["gen_ai.output.messages"])
    assert json.loads(answered["parts"][0]["content"]) == {"asks": {"noul": 0.9}}


def test_without_consent_they_are_not(telemetry: Recorded, server: ProviderServer) -> None:
    client(server, cache=False)(STATE, QUESTIONS)
    assert "Where?" not in telemetry.everything()


def test_a_service_that_answers_nonsense_is_an_error(telemetry: Recorded) -> None:
    with ProviderServer({"answers": 7}) as server, pytest.raises(Exception, match=r".+") as raised:
        client(server, cache=False)(STATE, QUESTIONS)
    span = telemetry.span(CHAT)
    assert span.status.status_code is StatusCode.ERROR
    kind = type(raised.value)
    assert telemetry.attributes(CHAT)["error.type"] == f"{kind.__module__}.{kind.__qualname__}"
    assert "gen_ai.usage.input_tokens" not in telemetry.attributes(CHAT)
