"""No key, token or header leaves the program in any signal, whatever is captured and wherever they are passed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from model_server import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer

SECRET = "sk-very-secret"

captures = pytest.mark.parametrize("capture", ["", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"])

SETTINGS: dict[str, Any] = {
    "api_key": SECRET,
    "extra_headers": {"Authorization": f"Bearer {SECRET}", "X-Tenant": SECRET},
    "extra_body": {"token": SECRET},
    "organization": SECRET,
    "user": SECRET,
    "metadata": {"note": SECRET},
}


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str, config: dict[str, Any] | None = None) -> Any:
        return self.answer(question=question, config=config or {})

    async def aforward(self, question: str, config: dict[str, Any] | None = None) -> Any:
        return await self.answer.acall(question=question, config=config or {})


def secretive(server: ModelServer, **settings: Any) -> dspy.LM:
    return dspy.LM("openai/gpt-4o-mini", api_base=server.url, cache=False, num_retries=0, **settings)


Use = "Callable[[dspy.LM, ModelServer], Any]"

USES: dict[str, Callable[[dspy.LM, ModelServer], Any]] = {
    "called with keys": lambda lm, server: lm("Where?", **SETTINGS),
    "called async with keys": lambda lm, server: asyncio.run(lm.acall("Where?", **SETTINGS)),
    "a predictor's config": lambda lm, server: dspy.Predict("question -> answer", **SETTINGS)(question="Where?"),
    "the config of one call": lambda lm, server: Desk()(question="Where?", config={"api_key": SECRET}),
    "the config of an async call": lambda lm, server: asyncio.run(
        Desk().acall(question="Where?", config={"api_key": SECRET})
    ),
    "a model of one call": lambda lm, server: dspy.Predict("question -> answer")(
        question="Where?", lm=secretive(server, **SETTINGS)
    ),
}


@captures
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("answered", [True, False], ids=["answered", "failing"])
def test_credentials_are_in_no_span_metric_or_event(
    answered: bool, use: str, capture: str, start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture=capture)
    if not answered:
        model_server.fail_when(lambda request: True, Failure(400, "refused"))
    lm = secretive(model_server, **SETTINGS)
    with dspy.context(lm=lm), contextlib.nullcontext() if answered else pytest.raises(Exception, match="refused"):
        USES[use](lm, model_server)
    everything = telemetry.everything()
    assert "gpt-4o-mini" in everything
    assert SECRET not in everything
    assert {SECRET in str(request.headers) + str(request.body) for request in model_server.requests} == {True}


@captures
def test_the_key_in_an_address_is_not_recorded(
    capture: str, start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture=capture)
    address = f"http://user:{SECRET}@{model_server.host}:{model_server.port}/v1"
    lm = dspy.LM("openai/gpt-4o-mini", api_base=address, api_key="test-key", cache=False, num_retries=0)
    with contextlib.suppress(Exception):
        lm("Where?")
    assert telemetry.attributes("chat gpt-4o-mini")["server.address"] == model_server.host
    attributes = [dict(span.attributes or {}) for span in telemetry.spans]
    assert SECRET not in str(attributes)


@captures
def test_what_the_redaction_hides_is_nowhere(
    capture: str, start_telemetry: StartTelemetry, model_server: ModelServer, lm: dspy.LM
) -> None:
    def redact(value: str, kind: str) -> str:
        return value.replace("Ann Smith", "[name]")

    telemetry = start_telemetry(capture=capture, redact=redact)
    model_server.reply = lambda request: {"reasoning": "Ann Smith said so.", "answer": "Ask Ann Smith."}
    desk = Desk()
    desk.answer.predict.demos = [dspy.Example(question="Who is Ann Smith?", reasoning="so", answer="her")]
    prediction = desk(question="Where is Ann Smith?")
    assert prediction.answer == "Ask Ann Smith."
    everything = telemetry.everything()
    assert "Ann Smith" not in everything
    assert ("[name]" in everything) == (capture != "")


@pytest.mark.complaints
def test_a_redaction_that_fails_lets_nothing_through(
    start_telemetry: StartTelemetry, model_server: ModelServer, lm: dspy.LM
) -> None:
    def redact(value: str, kind: str) -> str:
        raise KeyError(value)

    telemetry = start_telemetry(capture="SPAN_AND_EVENT", redact=redact)
    assert Desk()(question="Where is the parcel?").answer
    everything = telemetry.everything()
    assert "parcel" not in everything
    assert "[content dropped: the redaction function failed]" in everything


def test_what_is_in_a_failed_parse_is_not_in_the_status_without_consent(
    start_telemetry: StartTelemetry, model_server: ModelServer, lm: dspy.LM
) -> None:
    telemetry = start_telemetry()
    model_server.reply = lambda request: "a reply about Ann Smith that no adapter can parse"
    with pytest.raises(Exception, match="Ann Smith"):
        Desk()(question="Where?")
    assert telemetry.tree().count("[ERROR dspy.utils.exceptions.AdapterParseError") == 3
    assert "Ann Smith" not in telemetry.everything()
