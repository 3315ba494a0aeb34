"""A call that fails says how, how often it was tried, and counts as a call."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import OWN_ERRORS, RETRIES
from model_server import Failure
from opentelemetry.trace import StatusCode

if TYPE_CHECKING:
    from conftest import MakeLM
    from model_server import ModelServer, Request
    from recorded import Recorded

CHAT = "chat gpt-4o-mini"
DSPY, LITELLM = "dspy.utils.exceptions", "litellm.exceptions"

ONE_TRY = {"x-should-retry": "false"}
"""What OpenAI sends to keep its own client, which LiteLLM uses, from trying again."""

FAILURES = {
    "rate limit": (Failure(429, "Rate limit reached", headers=ONE_TRY), "LMRateLimitError", "RateLimitError"),
    "auth": (
        Failure(401, "Incorrect API key provided: test-key.", code="invalid_api_key"),
        "LMAuthError",
        "AuthenticationError",
    ),
    "server": (Failure(500, "The server had an error", headers=ONE_TRY), "LMServerError", "InternalServerError"),
    "no such model": (
        Failure(404, "The model does not exist", code="model_not_found"),
        "LMUnsupportedModelError",
        "NotFoundError",
    ),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_the_error_is_named_by_its_class(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, kind: str
) -> None:
    failure, own, litellm = FAILURES[kind]
    model_server.fail_next(failure)
    with pytest.raises(Exception, match=failure.message):
        make_lm()("Where?")
    OWN_ERRORS.is_missing()
    expected = f"{DSPY}.{own}" if OWN_ERRORS.given else f"{LITELLM}.{litellm}"
    span = telemetry.span(CHAT)
    assert span.status.status_code is StatusCode.ERROR
    # All that the provider says but the key.
    assert failure.message.replace("test-key", "[secret]") in (span.status.description or "")
    assert telemetry.attributes(CHAT)["error.type"] == expected
    [duration] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert (duration.attributes or {})["error.type"] == expected


def test_a_prompt_that_is_too_long_is_a_context_window_error(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    message = "This model's maximum context length is 10 tokens"
    model_server.fail_next(Failure(400, message, code="context_length_exceeded"))
    with pytest.raises(Exception, match="ontext"):
        make_lm()("Where?")
    error_type = telemetry.attributes(CHAT)["error.type"]
    assert error_type.rpartition(".")[2] == "ContextWindowExceededError"


def test_a_connection_that_breaks_is_an_error_without_an_answer(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    model_server.fail_when(lambda request: True, Failure(drop=True))
    with pytest.raises(Exception, match=r".+") as raised:
        make_lm()("Where?")
    kind = type(raised.value)
    attributes = telemetry.attributes(CHAT)
    assert attributes["error.type"] == f"{kind.__module__}.{kind.__name__}"
    assert "gen_ai.response.id" not in attributes
    assert "gen_ai.usage.input_tokens" not in attributes


def test_a_call_that_waits_too_long_is_a_timeout(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, engine: dict[str, Any]
) -> None:
    answer = threading.Event()

    def too_late(request: Request) -> str:
        answer.wait(30)
        return "There."

    model_server.reply = too_late
    try:
        with pytest.raises(Exception, match=r".+"):
            make_lm(timeout=0.2)("Where?")
    finally:
        answer.set()
    # For DSPy's own client a reply that does not come is a connection that broke.
    own = "LMTransportError" if engine == {"engine": "auto"} else "LMTimeoutError"
    error_type = telemetry.attributes(CHAT)["error.type"]
    assert error_type == (f"{DSPY}.{own}" if OWN_ERRORS.given else f"{LITELLM}.Timeout")


async def test_a_call_that_is_cancelled_is_an_error(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def when_told(request: Request) -> str:
        asked.set()
        answer.wait(30)
        return "There."

    model_server.reply = when_told
    try:
        call = asyncio.create_task(make_lm().acall("Where?"))
        assert await asyncio.to_thread(asked.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    finally:
        answer.set()
    span = telemetry.span(CHAT)
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes(CHAT)["error.type"] == "asyncio.exceptions.CancelledError"


def test_a_failed_call_counts_as_a_call_that_used_nothing(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    model_server.fail_when(lambda request: True, Failure(400, "no"))
    make_lm()
    with pytest.raises(Exception, match="no"):
        dspy.Predict("question -> answer")(question="Where?")
    calls = len(telemetry.named(CHAT))
    predictor = telemetry.attributes("Predict question -> answer")
    rolled_up = {name: value for name, value in predictor.items() if name.startswith("dspy.usage.")}
    assert rolled_up == {
        "dspy.usage.lm_calls": calls,
        "dspy.usage.cost": 0.0,
    }
    counted = {
        (point.attributes or {})["dspy.cache.hit"]: point.value
        for point in telemetry.metric_points("dspy.cache.requests")
    }
    assert counted == {False: calls}


def retries_of(telemetry: Recorded) -> list[dict[str, Any]]:
    return [dict(event.attributes or {}) for event in telemetry.span(CHAT).events if event.name == "dspy.lm.retry"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_a_call_that_was_tried_again_says_how_often_and_why(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, asynchronous: bool
) -> None:
    model_server.fail_next(Failure(429, "Rate limit reached", headers={"retry-after": "0", **ONE_TRY}))
    language_model = make_lm(num_retries=2)
    if asynchronous:
        await language_model.acall("Where?")
    else:
        language_model("Where?")
    assert len(model_server.requests) == 2
    attributes = telemetry.attributes(CHAT)
    assert telemetry.span(CHAT).status.status_code is StatusCode.UNSET
    assert attributes["gen_ai.usage.input_tokens"] == model_server.requests[1].usage["prompt_tokens"]
    if not RETRIES.given:
        assert ("dspy.lm.attempts" in attributes, retries_of(telemetry)) == (False, [])
        assert telemetry.metric_points("dspy.lm.retries") == []
        return
    assert attributes["dspy.lm.attempts"] == 2
    [event] = retries_of(telemetry)
    # LiteLLM does not hand the server's advice on; without it DSPy waits for a second.
    assert event.pop("dspy.lm.retry_delay") in (0.0, 1.0)
    assert event == {"dspy.lm.attempt": 1, "error.type": f"{DSPY}.LMRateLimitError"}
    [counted] = telemetry.metric_points("dspy.lm.retries")
    assert counted.value == 1
    assert dict(counted.attributes or {}) == {
        "gen_ai.request.model": "gpt-4o-mini",
        "error.type": f"{DSPY}.LMRateLimitError",
    }


def test_a_call_that_fails_after_its_tries_says_how_many_they_were(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    further_tries = 1 if RETRIES.given else 0
    model_server.fail_when(lambda request: True, Failure(503, "overloaded", headers={"retry-after": "0", **ONE_TRY}))
    with pytest.raises(Exception, match="overloaded"):
        make_lm(num_retries=further_tries)("Where?")
    assert len(model_server.requests) == 1 + further_tries
    assert telemetry.span(CHAT).status.status_code is StatusCode.ERROR
    assert telemetry.attributes(CHAT).get("dspy.lm.attempts") == (2 if RETRIES.given else None)
    assert len(retries_of(telemetry)) == further_tries
