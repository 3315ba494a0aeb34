"""Streamed calls: marked as such, timed chunk by chunk, and ended whatever their consumer does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import STREAMED_USAGE
from model_server import Failure, Reply
from opentelemetry.trace import StatusCode
from streams import Held, Teller, everything, leave_after_one, trace_ended

if TYPE_CHECKING:
    from conftest import MakeLM
    from model_server import ModelServer
    from recorded import Recorded

CHAT = "chat gpt-4o-mini"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
LATER_CHUNKS = "gen_ai.client.operation.time_per_output_chunk"


def chunks_of(values: list[Any]) -> list[Any]:
    return [value for value in values if not isinstance(value, (dspy.Prediction, dspy.streaming.StatusMessage))]


def assert_streamed(telemetry: Recorded, chunks: int) -> None:
    attributes = telemetry.attributes(CHAT)
    assert attributes["gen_ai.request.stream"] is True
    [first] = telemetry.metric_points(FIRST_CHUNK)
    [later] = telemetry.metric_points(LATER_CHUNKS)
    assert (first.count, later.count) == (1, chunks - 1)
    assert attributes["gen_ai.response.time_to_first_chunk"] == first.sum
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]


@pytest.mark.parametrize("is_async_program", [False, True], ids=["sync program", "async program"])
async def test_a_streamed_call_is_timed_chunk_by_chunk(
    telemetry: Recorded, make_lm: MakeLM, is_async_program: bool
) -> None:
    make_lm()
    program = dspy.streamify(dspy.Predict("question -> answer"), is_async_program=is_async_program)
    values = await everything(program, question="Where?")
    assert isinstance(values[-1], dspy.Prediction)
    assert telemetry.tree() == f"Predict question -> answer\n  {CHAT}"
    assert_streamed(telemetry, chunks=len(chunks_of(values)))


def test_a_consumer_that_is_not_async_has_the_same(telemetry: Recorded, make_lm: MakeLM) -> None:
    make_lm()
    program = dspy.streamify(dspy.Predict("question -> answer"), async_streaming=False)
    values = list(program(question="Where?"))
    assert_streamed(telemetry, chunks=len(chunks_of(values)))


async def test_listeners_hear_what_they_would_hear_and_the_chunks_are_the_models(
    telemetry: Recorded, make_lm: MakeLM
) -> None:
    make_lm()
    listener = dspy.streaming.StreamListener(signature_field_name="answer")
    program = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=[listener])
    values = await everything(program, question="Where?")
    assert "".join(value.chunk for value in values[:-1]).strip() == values[-1].answer
    assert telemetry.attributes(CHAT)["gen_ai.request.stream"] is True
    [later] = telemetry.metric_points(LATER_CHUNKS)
    assert later.count > len(values)


async def test_each_call_of_a_streamed_program_is_timed_on_its_own(telemetry: Recorded, make_lm: MakeLM) -> None:
    class Chain(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = dspy.Predict("question -> draft")
            self.second = dspy.ChainOfThought("draft -> answer")

        def forward(self, question: str) -> dspy.Prediction:
            return self.second(draft=self.first(question=question).draft)

    make_lm()
    await everything(dspy.streamify(Chain()), question="Where?")
    assert telemetry.tree() == (
        f"invoke_workflow Chain\n  Predict first\n    {CHAT}\n  ChainOfThought second\n    Predict second\n      {CHAT}"
    )
    assert [(span.attributes or {})["gen_ai.request.stream"] for span in telemetry.named(CHAT)] == [True, True]
    # A point for each prompt.
    assert [point.count for point in telemetry.metric_points(FIRST_CHUNK)] == [1, 1]


@pytest.mark.parametrize("tracked", [False, True], ids=["untracked", "track_usage"])
async def test_the_tokens_of_a_streamed_call_are_those_that_the_provider_reports(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, engine: dict[str, Any], tracked: bool
) -> None:
    make_lm()
    dspy.configure(track_usage=tracked)
    await everything(dspy.streamify(dspy.Predict("question -> answer")), question="Where?")
    [request] = model_server.requests
    assert request.usage is not None
    reported = (request.usage["prompt_tokens"], request.usage["completion_tokens"])
    attributes = telemetry.attributes(CHAT)
    tokens = (attributes.get("gen_ai.usage.input_tokens"), attributes.get("gen_ai.usage.output_tokens"))
    asked_for = "stream_options" in request.body
    assert tokens == (reported if asked_for else (None, None))
    native = STREAMED_USAGE.given and engine["engine"] == "auto"
    assert asked_for == (native or (tracked and not dspy.__version__.startswith("2.")))
    rolled_up = telemetry.attributes("Predict question -> answer")
    assert rolled_up.get("dspy.usage.cost_unknown_calls") == (None if asked_for else 1)


@pytest.mark.parametrize("tracked", [False, True], ids=["untracked", "track_usage"])
async def test_what_a_provider_does_not_count_nobody_counts_for_it(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, tracked: bool
) -> None:
    make_lm()
    dspy.configure(track_usage=tracked)
    model_server.reply = lambda request: Reply(fields={"answer": "In Egypt, mostly."}, report_usage=False)
    await everything(dspy.streamify(dspy.Predict("question -> answer")), question="Where?")
    attributes = telemetry.attributes(CHAT)
    assert [name for name in attributes if name.startswith("gen_ai.usage.")] == []
    assert telemetry.metric_points("gen_ai.client.token.usage") == []
    rolled_up = telemetry.attributes("Predict question -> answer")
    assert (rolled_up["dspy.usage.lm_calls"], rolled_up["dspy.usage.cost_unknown_calls"]) == (1, 1)


async def test_counts_that_a_provider_sends_unasked_are_told_as_they_are_or_not_at_all(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    make_lm()
    counts = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    model_server.reply = lambda request: Reply(fields={"answer": "Egypt"}, usage_update=counts, usage_unasked=True)
    await everything(dspy.streamify(dspy.Predict("question -> answer")), question="Where?")
    attributes = telemetry.attributes(CHAT)
    tokens = (attributes.get("gen_ai.usage.input_tokens"), attributes.get("gen_ai.usage.output_tokens"))
    # LiteLLM hands them on from 1.109 on.
    assert tokens in ((1000, 500), (None, None))
    assert attributes.get("gen_ai.usage.cost.source") == (None if tokens == (None, None) else "local")


@pytest.mark.parametrize("told", [True, False], ids=["told by the provider", "worked out by LiteLLM"])
async def test_the_price_of_a_stream_is_the_providers_where_the_provider_told_it(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, told: bool
) -> None:
    make_lm()
    dspy.configure(track_usage=True)
    price = {"cost": 0.0321} if told else {}
    model_server.reply = lambda request: Reply(fields={"answer": "Egypt"}, usage_update=price)
    await everything(dspy.streamify(dspy.Predict("question -> answer")), question="Where?")
    attributes = telemetry.attributes(CHAT)
    if "gen_ai.usage.input_tokens" in attributes:
        assert attributes["gen_ai.usage.cost.source"] == ("provider" if told else "local")
        assert (attributes["gen_ai.usage.cost.amount"] == pytest.approx(0.0321)) is told


async def test_word_that_a_call_begins_is_not_its_first_chunk(telemetry: Recorded, make_lm: MakeLM) -> None:
    make_lm()
    program = dspy.streamify(dspy.Predict("question -> answer"), status_message_provider=Teller())
    values = await everything(program, question="Where?")
    told = [value.message for value in values if isinstance(value, dspy.streaming.StatusMessage)]
    assert told == ["asking", "answered"]
    assert_streamed(telemetry, chunks=len(chunks_of(values)))


async def test_a_reply_from_the_cache_is_not_streamed(telemetry: Recorded, make_lm: MakeLM) -> None:
    make_lm(cache=True)
    program = dspy.streamify(dspy.Predict("question -> answer"), status_message_provider=Teller())
    await everything(program, question="Where?")
    telemetry.clear()
    await everything(program, question="Where?")
    attributes = telemetry.attributes(CHAT)
    assert attributes["dspy.cache.hit"] is True
    assert [name for name in attributes if "stream" in name or "chunk" in name] == []


async def test_a_program_that_does_not_stream_has_no_streamed_calls(telemetry: Recorded, make_lm: MakeLM) -> None:
    make_lm()
    dspy.Predict("question -> answer")(question="Where?")
    assert [name for name in telemetry.attributes(CHAT) if "stream" in name or "chunk" in name] == []
    assert telemetry.metric_points(FIRST_CHUNK) == []


async def test_a_stream_that_fails_before_its_first_chunk_was_one(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM
) -> None:
    make_lm()
    model_server.fail_when(lambda request: True, Failure(400))
    program = dspy.streamify(dspy.Predict("question -> answer"), is_async_program=True)
    with pytest.raises(BaseException, match=r".+"):
        await everything(program, question="Where?")
    assert telemetry.named(CHAT) != []
    for span in telemetry.named(CHAT):
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["gen_ai.request.stream"] is True
        assert "gen_ai.response.time_to_first_chunk" not in (span.attributes or {})


@pytest.mark.parametrize("by", ["closing", "cancelling"])
@pytest.mark.parametrize("is_async_program", [False, True], ids=["sync program", "async program"])
async def test_a_consumer_that_leaves_early_leaves_no_open_span(
    telemetry: Recorded, model_server: ModelServer, make_lm: MakeLM, is_async_program: bool, by: str
) -> None:
    make_lm()
    program = dspy.streamify(dspy.Predict("question -> answer"), is_async_program=is_async_program)
    async with trace_ended(telemetry):
        await leave_after_one(program, Held(model_server), by=by, question="Where?")
    # An adapter may ask once more in another way, if the call breaks before DSPy cancels the program.
    assert telemetry.named(CHAT) != []
    for span in telemetry.named(CHAT):
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["gen_ai.request.stream"] is True
