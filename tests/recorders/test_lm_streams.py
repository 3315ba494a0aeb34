"""Streams of DSPy's own client and of engines that the application made, and what else goes through a stream."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.lm15 import Message, Response, StreamDeltaEvent, StreamEndEvent, StreamStartEvent, TextDelta, Usage
from model_server import ModelServer, Reply, dated
from provider_server import ProviderServer, reply_body

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server import Request
    from recorded import Recorded

CHAT = "chat gpt-4o-mini"
CLAUDE = "chat claude-sonnet-4-5"
FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
LATER_CHUNKS = "gen_ai.client.operation.time_per_output_chunk"


class Listener:
    """A stream of the application that writes down what it is sent."""

    def __init__(self) -> None:
        self.chunks: list[Any] = []

    async def send(self, chunk: Any) -> None:
        self.chunks.append(chunk)


async def test_a_direct_call_streams_where_somebody_listens(telemetry: Recorded, model_server: ModelServer) -> None:
    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)
    listener = Listener()
    with dspy.context(send_stream=listener):
        await lm.acall("Where?")
        assert dspy.settings.send_stream is listener
    attributes = telemetry.attributes(CHAT)
    assert attributes["gen_ai.request.stream"] is True
    [first], [later] = telemetry.metric_points(FIRST_CHUNK), telemetry.metric_points(LATER_CHUNKS)
    assert first.count + later.count == len(listener.chunks)
    assert attributes["gen_ai.response.time_to_first_chunk"] == first.sum
    assert dict(first.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "server.address": model_server.host,
        "server.port": model_server.port,
    }


async def test_a_streamed_reply_has_the_id_and_the_model_that_the_server_told(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    """DSPy's own client leaves both out of what it puts together of a stream."""
    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)
    with dspy.context(send_stream=Listener()):
        await lm.acall("Where?")
    attributes = telemetry.attributes(CHAT)
    assert model_server.request_of(attributes["gen_ai.response.id"]) is model_server.requests[0]
    assert attributes["gen_ai.response.model"] == dated("gpt-4o-mini")


async def test_the_time_to_the_first_chunk_ends_when_it_comes(telemetry: Recorded, model_server: ModelServer) -> None:
    """Whatever takes long after the first chunk is no part of it: here the reader of that chunk."""
    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)
    took_it = threading.Event()
    model_server.reply = lambda request: Reply(
        text="one two", before_chunk=lambda index: index == 0 or took_it.wait(30)
    )
    points: list[Any] = []

    class Waiting(Listener):
        async def send(self, chunk: Any) -> None:
            await super().send(chunk)
            points.append([point.count for point in telemetry.metric_points(FIRST_CHUNK)])
            took_it.set()

    with dspy.context(send_stream=Waiting()):
        await lm.acall("Where?")
    # It was known before the second chunk was even sent.
    assert points[0] == [1]


async def test_a_streamed_reply_of_anthropic_has_all_its_tokens(telemetry: Recorded) -> None:
    with ProviderServer(reply_body("anthropic_stream")) as server, usage_scope() as usage:
        lm = dspy.LM("anthropic/claude-sonnet-4-5", api_base=server.url, api_key="test-key", cache=False)
        with dspy.context(send_stream=Listener()):
            assert await lm.acall("Where?") == ["It is there."]
    attributes = telemetry.attributes(CLAUDE)
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.usage.input_tokens"] == usage.input_tokens == 4305
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 4096
    assert attributes["gen_ai.usage.cache_write.input_tokens"] == 188
    assert attributes["gen_ai.usage.output_tokens"] == usage.output_tokens == 393
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert attributes["gen_ai.usage.cost.amount"] > 0


async def test_tokens_that_dspy_does_not_read_from_a_stream_are_not_known(telemetry: Recorded) -> None:
    """Anthropic tells the input at the beginning already; DSPy's client reads what stands at the end."""
    events = [dict(event) for event in reply_body("anthropic_stream")]
    [end] = [event for event in events if event["type"] == "message_delta"]
    end["usage"] = {"output_tokens": 393}
    with ProviderServer(events) as server:
        lm = dspy.LM("anthropic/claude-sonnet-4-5", api_base=server.url, api_key="test-key")
        with dspy.context(send_stream=Listener()):
            await lm.acall("Where?")
        await lm.acall("Where?")
    first, hit = (dict(span.attributes or {}) for span in telemetry.named(CLAUDE))
    assert "gen_ai.usage.input_tokens" not in first
    assert first["gen_ai.usage.output_tokens"] == 393
    assert "gen_ai.usage.cost.amount" not in first
    assert "dspy.cache.saved_input_tokens" not in hit
    assert hit["dspy.cache.saved_output_tokens"] == 393


async def test_what_the_cache_saves_of_a_streamed_reply_is_what_it_took(telemetry: Recorded) -> None:
    with ProviderServer(reply_body("anthropic_stream")) as server:
        lm = dspy.LM("anthropic/claude-sonnet-4-5", api_base=server.url, api_key="test-key")
        with dspy.context(send_stream=Listener()):
            await lm.acall("Where?")
        await lm.acall("Where?")
        assert len(server.requests) == 1
    first, hit = (dict(span.attributes or {}) for span in telemetry.named(CLAUDE))
    assert (hit["dspy.cache.saved_input_tokens"], hit["dspy.cache.saved_output_tokens"]) == (4305, 393)
    assert hit["dspy.cache.saved_cost"] == first["gen_ai.usage.cost.amount"]
    assert "gen_ai.request.stream" not in hit


async def test_an_engine_of_the_application_streams_like_dspys(telemetry: Recorded) -> None:
    class AsyncParrot:
        async def complete(self, request: Any) -> Response:
            raise AssertionError("it was to stream")

        async def stream(self, request: Any) -> Any:
            yield StreamStartEvent(id="p-1", model="parrot-2")
            for word in ("There ", "it ", "is."):
                yield StreamDeltaEvent(TextDelta(word, part_index=0))
            yield StreamEndEvent(finish_reason="stop", usage=Usage(input_tokens=3, output_tokens=2))

    class Parrot:
        def complete(self, request: Any) -> Response:
            return Response(
                id="p-2", model="parrot-2", message=Message.assistant("There."), finish_reason="stop", usage=Usage()
            )

    lm = dspy.LM("polly", engine=Parrot(), async_engine=AsyncParrot(), cache=False)
    listener = Listener()
    with dspy.context(send_stream=listener):
        assert await lm.acall("Where?") == ["There it is."]
    attributes = telemetry.attributes("chat polly")
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.usage.output_tokens"] == 2
    [first], [later] = telemetry.metric_points(FIRST_CHUNK), telemetry.metric_points(LATER_CHUNKS)
    assert first.count + later.count == len(listener.chunks)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_language_model_of_the_application_that_sends_its_own_chunks_streams(telemetry: Recorded) -> None:
    class Chatty(dspy.BaseLM):
        async def acall(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            for word in ("There ", "it ", "is."):
                await dspy.settings.send_stream.send(word)
            return ["There it is."]

    listener = Listener()
    with dspy.context(send_stream=listener):
        await Chatty(model="chatty").acall("Where?")
    assert listener.chunks == ["There ", "it ", "is."]
    assert telemetry.attributes("chat chatty")["gen_ai.request.stream"] is True
    [later] = telemetry.metric_points(LATER_CHUNKS)
    assert later.count == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_one_that_does_not_stream_is_not_marked_because_somebody_listens(telemetry: Recorded) -> None:
    class Silent(dspy.BaseLM):
        async def acall(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            return ["There it is."]

    with dspy.context(send_stream=Listener()):
        await Silent(model="silent").acall("Where?")
    assert "gen_ai.request.stream" not in telemetry.attributes("chat silent")


def test_a_stream_keeps_all_that_it_can_do(telemetry: Recorded, model_server: ModelServer) -> None:
    """What stands in for the application's stream during a call is that stream in every other respect."""
    seen: list[Any] = []

    class Curious(dspy.BaseLM):
        def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            stream = dspy.settings.send_stream
            seen.extend([isinstance(stream, Listener), stream.chunks, stream == listener])
            return ["There."]

    listener = Listener()
    with dspy.context(send_stream=listener):
        Curious(model="curious")("Where?")
    assert seen == [True, [], True]


def test_programs_that_stream_at_the_same_time_have_their_own_chunks(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    def reply(request: Request) -> Reply:
        return Reply(text=" ".join(["word"] * int(request.prompt.text)))

    model_server.reply = reply
    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)

    class Ask(dspy.Module):
        def forward(self, words: int) -> dspy.Prediction:
            return dspy.Prediction(answer=lm(str(words))[0])

    def counted(values: Iterator[Any]) -> int:
        return sum(1 for value in values if not isinstance(value, dspy.Prediction))

    program = dspy.streamify(Ask(), async_streaming=False)
    threads = [threading.Thread(target=lambda words=words: counted(program(words=words))) for words in range(3, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(telemetry.named(CHAT)) == 6
    [first], [later] = telemetry.metric_points(FIRST_CHUNK), telemetry.metric_points(LATER_CHUNKS)
    assert first.count == 6
    # One chunk for each word, and one that ends the reply.
    assert first.count + later.count == sum(words + 1 for words in range(3, 9))
