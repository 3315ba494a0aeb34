"""Calls that fail after the provider was paid, and calls that are tried again."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from model_server import Failure, ModelServer, Reply
from opentelemetry.trace import StatusCode

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from model_server import Request
    from recorded import Recorded

CHAT = "chat gpt-4o-mini"
ERRORS = "dspy.utils.exceptions"
ANSWER_PRICE = 4 * 0.15e-6 + 3 * 0.60e-6
"""US dollars for "Where?" and "There it is."."""


def language_model(server: ModelServer, **settings: Any) -> dspy.LM:
    defaults = {"api_base": server.url, "api_key": "test-key", "cache": False, "num_retries": 0}
    return dspy.LM("openai/gpt-4o-mini", **{**defaults, **settings})


async def ask(lm: dspy.LM, asynchronous: bool, **settings: Any) -> Any:
    return await lm.acall("Where?", **settings) if asynchronous else lm("Where?", **settings)


def answers_until(number: int, failure: Failure) -> Any:
    """A script that answers the first requests and fails all others."""

    def reply(request: Request) -> str | Failure:
        return "There it is." if request.number < number else failure

    return reply


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_answers_before_the_failure_were_paid_for(
    telemetry: Recorded, model_server: ModelServer, asynchronous: bool
) -> None:
    model_server.reply = answers_until(3, Failure(400, "no"))
    lm = language_model(model_server)
    with usage_scope() as usage, pytest.raises(dspy.LMError, match="no"):
        await ask(lm, asynchronous, n=3, temperature=1.0)
    attributes = telemetry.attributes(CHAT)
    assert attributes["error.type"] == f"{ERRORS}.LMInvalidRequestError"
    assert attributes["gen_ai.usage.input_tokens"] == usage.input_tokens == 8
    assert attributes["gen_ai.usage.output_tokens"] == usage.output_tokens == 6
    assert attributes["gen_ai.usage.cost.amount"] == usage.cost == pytest.approx(2 * ANSWER_PRICE)
    assert attributes["gen_ai.usage.cost.source"] == "local"
    assert (usage.lm_calls, usage.cost_unknown_calls) == (1, 0)
    counted = {
        (point.attributes or {})["gen_ai.token.type"]: point.sum
        for point in telemetry.metric_points("gen_ai.client.token.usage")
    }
    assert counted == {"input": 8, "output": 6}


def test_prices_that_the_answers_named_are_paid_too(telemetry: Recorded, model_server: ModelServer) -> None:
    def reply(request: Request) -> Reply | Failure:
        return Reply(text="There it is.", usage_update={"cost": 0.5}) if request.number == 1 else Failure(400, "no")

    model_server.reply = reply
    with pytest.raises(dspy.LMError, match="no"):
        language_model(model_server)("Where?", n=2, temperature=1.0)
    attributes = telemetry.attributes(CHAT)
    assert attributes["gen_ai.usage.cost.amount"] == 0.5
    assert attributes["gen_ai.usage.cost.source"] == "provider"


async def test_a_stream_whose_reader_fails_after_the_last_chunk_was_paid_for(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    """All chunks and the usage are there; then the program's own stream is closed and the delivery fails."""
    model_server.reply = lambda request: Reply(text="There it is.")

    class ClosingAtTheEnd:
        """A stream of the application that does not take the end of the reply."""

        async def send(self, chunk: Any) -> None:
            if chunk["choices"][0].get("finish_reason") is not None:
                raise ValueError("the reader is gone")

    with usage_scope() as usage, dspy.context(send_stream=ClosingAtTheEnd()), pytest.raises(Exception, match=r".+"):
        await language_model(model_server).acall("Where?")
    attributes = telemetry.attributes(CHAT)
    assert telemetry.span(CHAT).status.status_code is StatusCode.ERROR
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.usage.input_tokens"] == usage.input_tokens == 4
    assert attributes["gen_ai.usage.output_tokens"] == usage.output_tokens == 3


async def test_a_stream_that_is_cut_before_its_usage_is_not_known_to_cost_anything(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    model_server.reply = lambda request: Reply(text="There it is.", cut_after=2)

    class Taking:
        async def send(self, chunk: Any) -> None:
            """Take it."""

    with usage_scope() as usage, dspy.context(send_stream=Taking()), pytest.raises(dspy.LMError):
        await language_model(model_server).acall("Where?")
    attributes = telemetry.attributes(CHAT)
    assert "gen_ai.usage.input_tokens" not in attributes
    assert (usage.lm_calls, usage.input_tokens, usage.cost) == (1, 0, 0.0)


async def test_a_call_that_is_cancelled_after_its_first_answer_paid_for_it(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    asked_twice, go_on = threading.Event(), threading.Event()

    def reply(request: Request) -> str:
        if request.number == 2:
            asked_twice.set()
            go_on.wait(30)
        return "There it is."

    model_server.reply = reply
    with usage_scope() as usage:
        call = asyncio.create_task(language_model(model_server).acall("Where?", n=2, temperature=1.0))
        assert await asyncio.to_thread(asked_twice.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    go_on.set()
    attributes = telemetry.attributes(CHAT)
    assert attributes["error.type"] == "asyncio.exceptions.CancelledError"
    assert attributes["gen_ai.usage.input_tokens"] == usage.input_tokens == 4
    assert attributes["gen_ai.usage.cost.amount"] == usage.cost == pytest.approx(ANSWER_PRICE)


def retry_events(telemetry: Recorded) -> list[dict[str, Any]]:
    return [dict(event.attributes or {}) for event in telemetry.span(CHAT).events if event.name == "dspy.lm.retry"]


def busy(message: str = "busy") -> Failure:
    return Failure(503, message, headers={"retry-after": "0"})


def test_each_further_try_is_an_event_with_its_number_and_its_pause(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    model_server.fail_next(Failure(429, "slow down", headers={"retry-after": "0.01"}))
    model_server.fail_next(busy())
    language_model(model_server, num_retries=3)("Where?")
    assert telemetry.span(CHAT).status.status_code is StatusCode.UNSET
    assert telemetry.attributes(CHAT)["dspy.lm.attempts"] == 3
    assert retry_events(telemetry) == [
        {"dspy.lm.attempt": 1, "error.type": f"{ERRORS}.LMRateLimitError", "dspy.lm.retry_delay": 0.01},
        {"dspy.lm.attempt": 2, "error.type": f"{ERRORS}.LMServerError", "dspy.lm.retry_delay": 0.0},
    ]
    counted = {
        (point.attributes or {})["error.type"]: point.value for point in telemetry.metric_points("dspy.lm.retries")
    }
    assert counted == {f"{ERRORS}.LMRateLimitError": 1, f"{ERRORS}.LMServerError": 1}


def test_a_call_that_fails_in_the_end_says_how_often_it_was_tried(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    model_server.fail_when(lambda request: True, busy())
    with pytest.raises(dspy.LMError, match="busy"):
        language_model(model_server, num_retries=2)("Where?")
    assert len(model_server.requests) == 3
    attributes = telemetry.attributes(CHAT)
    assert attributes["dspy.lm.attempts"] == 3
    assert attributes["error.type"] == f"{ERRORS}.LMServerError"
    assert [event["dspy.lm.attempt"] for event in retry_events(telemetry)] == [1, 2]


def test_a_failure_that_no_further_try_would_mend_is_not_tried_again(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    model_server.fail_when(lambda request: True, Failure(401, "bad key"))
    with pytest.raises(dspy.LMError, match="bad key"):
        language_model(model_server, num_retries=2)("Where?")
    assert len(model_server.requests) == 1
    assert "dspy.lm.attempts" not in telemetry.attributes(CHAT)
    assert retry_events(telemetry) == []
    assert telemetry.metric_points("dspy.lm.retries") == []


def test_the_tries_for_several_replies_are_numbered_through(telemetry: Recorded, model_server: ModelServer) -> None:
    def reply(request: Request) -> str | Failure:
        return busy() if request.number in (1, 3) else "There it is."

    model_server.reply = reply
    language_model(model_server, num_retries=1)("Where?", n=2, temperature=1.0)
    attributes = telemetry.attributes(CHAT)
    assert attributes["gen_ai.response.finish_reasons"] == ["stop", "stop"]
    assert attributes["gen_ai.usage.input_tokens"] == 8
    assert [event["dspy.lm.attempt"] for event in retry_events(telemetry)] == [1, 2]


def test_retries_of_calls_at_the_same_time_stay_with_their_calls(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    failed: set[str] = set()
    lock = threading.Lock()

    def once_for_each_prompt(request: Request) -> bool:
        with lock:
            prompt = request.prompt.text
            is_first = prompt not in failed and prompt.startswith("busy")
            failed.add(prompt)
            return is_first

    model_server.fail_when(once_for_each_prompt, busy())
    lm = language_model(model_server, num_retries=2)

    async def ask() -> None:
        await asyncio.gather(*(lm.acall(f"{'busy' if number % 2 else 'quiet'} {number}") for number in range(20)))

    asyncio.run(ask())
    for span in telemetry.named(CHAT):
        request = model_server.request_of(str((span.attributes or {})["gen_ai.response.id"]))
        was_busy = request.prompt.text.startswith("busy")
        assert (span.attributes or {}).get("dspy.lm.attempts") == (2 if was_busy else None)
        assert len(span.events) == (1 if was_busy else 0)
    [counted] = telemetry.metric_points("dspy.lm.retries")
    assert counted.value == 10


@pytest.mark.parametrize("arguments", [{"n": 0}, {"request": "not one"}], ids=str)
def test_a_call_that_dspy_itself_refuses_is_an_error_without_a_request(
    telemetry: Recorded, model_server: ModelServer, arguments: dict[str, Any]
) -> None:
    with pytest.raises((ValueError, TypeError)) as raised:
        language_model(model_server)("Where?", **arguments)
    assert model_server.requests == []
    assert telemetry.attributes(CHAT)["error.type"] == type(raised.value).__name__


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit(), SystemExit(3)], ids=repr)
def test_what_ends_the_program_ends_the_span(telemetry: Recorded, error: BaseException) -> None:
    class Interrupted(dspy.BaseLM):
        def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            raise error

    with pytest.raises(type(error)) as raised:
        Interrupted(model="interrupted")("Where?")
    assert raised.value is error
    assert telemetry.span("chat interrupted").status.status_code is StatusCode.ERROR
    assert telemetry.attributes("chat interrupted")["error.type"] == type(error).__name__
