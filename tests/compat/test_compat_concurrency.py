"""However many calls run at once: each span has the tokens of its own request, each module those of its own calls."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dspy
from recorded import attributes_of

from opentelemetry import context as context_api

if TYPE_CHECKING:
    from conftest import MakeLM
    from model_server import ModelServer
    from recorded import Recorded

CHAT = "chat gpt-4o-mini"


def question(number: int) -> str:
    """A question whose length, and so its price, is like no other's."""
    return " ".join(["word"] * (number + 1))


def assert_each_span_has_the_tokens_of_its_own_request(
    telemetry: Recorded, server: ModelServer, count: int
) -> dict[int, dict[str, Any]]:
    """Compare all calls with the server's records; return the attributes of each by the id of its parent span."""
    spans = telemetry.named(CHAT)
    assert len(spans) == len(server.requests) == count
    found = {}
    for span in spans:
        attributes = attributes_of(span)
        request = server.request_of(attributes["gen_ai.response.id"])
        assert request.usage is not None
        assert attributes["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]
        assert attributes["gen_ai.usage.output_tokens"] == request.usage["completion_tokens"]
        found[span.parent.span_id if span.parent is not None else 0] = attributes
    assert len({attributes_of(span)["gen_ai.response.id"] for span in spans}) == count
    assert len({attributes_of(span)["gen_ai.usage.input_tokens"] for span in spans}) == count
    return found


async def test_two_hundred_async_calls_at_once_have_their_own_tokens(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    language_model = make_lm()
    await asyncio.gather(*(language_model.acall(question(number)) for number in range(200)))
    assert_each_span_has_the_tokens_of_its_own_request(telemetry, model_server, 200)


async def test_predictors_that_run_at_once_add_up_their_own_calls(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    make_lm()
    predictor = dspy.Predict("question -> answer")
    await asyncio.gather(*(predictor.acall(question=question(number)) for number in range(40)))
    calls = assert_each_span_has_the_tokens_of_its_own_request(telemetry, model_server, 40)
    for span in telemetry.named("Predict question -> answer"):
        rolled_up, call = attributes_of(span), calls[span.context.span_id]
        assert rolled_up["dspy.usage.lm_calls"] == 1
        assert rolled_up["dspy.usage.input_tokens"] == call["gen_ai.usage.input_tokens"]
        assert rolled_up["dspy.usage.output_tokens"] == call["gen_ai.usage.output_tokens"]


def test_sixteen_threads_have_their_own_tokens(telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM) -> None:
    language_model = make_lm()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(language_model, map(question, range(96))))
    assert_each_span_has_the_tokens_of_its_own_request(telemetry, model_server, 96)
    assert all(span.parent is None for span in telemetry.spans)


def test_a_program_in_each_of_sixteen_threads_has_its_own_tokens(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    language_model = make_lm()
    predictor = dspy.Predict("question -> answer")

    def ask(number: int) -> None:
        with dspy.context(lm=language_model):
            predictor(question=question(number))
        assert context_api.get_current() == {}

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(ask, range(64)))
    calls = assert_each_span_has_the_tokens_of_its_own_request(telemetry, model_server, 64)
    predictors = telemetry.named("Predict question -> answer")
    assert len(predictors) == len({span.context.trace_id for span in predictors}) == 64
    for span in predictors:
        call = calls[span.context.span_id]
        assert attributes_of(span)["dspy.usage.input_tokens"] == call["gen_ai.usage.input_tokens"]
