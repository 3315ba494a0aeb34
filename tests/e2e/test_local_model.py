"""A real model on a real server: the tokens in the spans are those that went over the wire.

The model is too small to keep to DSPy's layout, which makes it a natural case of calls that are paid for nothing; held
to a grammar, it fills every field. The grammar travels in `extra_body`, and with that DSPy calls through LiteLLM
instead of its own engine: the tests go both ways.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import dspy
import pytest
from adapter_events import events, parse_error
from dspy.utils.exceptions import AdapterParseError
from local_model import NAME, GrammarAdapter, LocalModel
from opentelemetry.trace import StatusCode
from recorded import attributes_of
from recording_proxy import Exchange, RecordingProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from recorded import Recorded

CHAT = f"chat {NAME}"
PARSE_ERROR = "dspy.utils.exceptions.AdapterParseError"

TOO_FEW_TOKENS = 16
"""The fields of `ReviewLamp` take 38 tokens in DSPy's layout and 23 as JSON: these few hold neither, on any machine."""


class ReviewLamp(dspy.Signature):
    """Review a lamp."""

    lamp: str = dspy.InputField()
    recommendation: str = dspy.OutputField()
    kind: Literal["desk lamp", "floor lamp"] = dspy.OutputField()
    brightness: float = dspy.OutputField()
    drawbacks: list[str] = dspy.OutputField()


class Parrot(dspy.Module):
    """A program that asks its language model directly: no adapter has to make sense of the reply."""

    def forward(self, question: str) -> dspy.Prediction:
        return dspy.Prediction(answer=dspy.settings.lm(question)[0])


@pytest.fixture(scope="module")
def server() -> Iterator[LocalModel]:
    with LocalModel() as local_model:
        yield local_model


@pytest.fixture
def wire(server: LocalModel) -> Iterator[RecordingProxy]:
    with RecordingProxy(server.address) as proxy:
        yield proxy


def language_model(wire: RecordingProxy, **settings: Any) -> dspy.LM:
    """The local model behind the proxy, without DSPy's cache."""
    fixed = {"api_base": wire.url, "api_key": "test-key", "temperature": 0.0, "cache": False}
    return dspy.LM(LocalModel.model, **fixed, **settings)


def client_of(exchange: Exchange) -> str:
    """Which HTTP client sent a request: DSPy's own, or that of LiteLLM, which calls itself DSPy."""
    return exchange.headers["user-agent"].partition("/")[0]


def tokens_on(exchange: Exchange) -> dict[str, int]:
    """The tokens that the server reported, under the conventions' names; where it had nothing cached it says 0."""
    usage = exchange.usage
    assert usage is not None
    tokens = {
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "gen_ai.usage.cache_read.input_tokens": usage["prompt_tokens_details"]["cached_tokens"],
    }
    return {name: count for name, count in tokens.items() if count}


def tokens_in(span: ReadableSpan) -> dict[str, Any]:
    return {name: value for name, value in attributes_of(span).items() if name.startswith("gen_ai.usage.")}


def roll_up_of(exchanges: list[Exchange]) -> dict[str, Any]:
    """What a span above these calls has to tell; nobody knows a price of this model."""
    return {
        "dspy.usage.lm_calls": len(exchanges),
        "dspy.usage.input_tokens": sum(tokens_on(exchange)["gen_ai.usage.input_tokens"] for exchange in exchanges),
        "dspy.usage.output_tokens": sum(tokens_on(exchange)["gen_ai.usage.output_tokens"] for exchange in exchanges),
        "dspy.usage.cost_unknown_calls": len(exchanges),
    }


def roll_up_in(span: ReadableSpan) -> dict[str, Any]:
    return {name: value for name, value in attributes_of(span).items() if name.startswith("dspy.usage.")}


def seconds_of(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


async def stream(program: dspy.Module, **inputs: str) -> Any:
    """The last piece of a streamed program: its prediction."""
    pieces = [piece async for piece in dspy.streamify(program)(**inputs)]
    return pieces[-1]


def test_a_reply_that_misses_the_layout_is_paid_and_so_is_that_of_the_json_fallback(
    telemetry: Recorded, wire: RecordingProxy
) -> None:
    dspy.configure(lm=language_model(wire, max_tokens=TOO_FEW_TOKENS))

    with pytest.raises(AdapterParseError):
        dspy.Predict(ReviewLamp)(lamp="Fjord")

    calls, predictor = telemetry.named(CHAT), telemetry.span("Predict ReviewLamp")
    assert [client_of(exchange) for exchange in wire.exchanges] == ["lm15", "lm15"]
    assert [tokens_in(call) for call in calls] == [tokens_on(exchange) for exchange in wire.exchanges]
    assert roll_up_in(predictor) == roll_up_of(wire.exchanges)
    assert [attributes_of(call)["dspy.adapter.name"] for call in calls] == ["ChatAdapter", "JSONAdapter"]
    for call, exchange in zip(calls, wire.exchanges, strict=True):
        assert call.parent == predictor.context
        assert call.status.status_code is StatusCode.UNSET
        assert attributes_of(call)["gen_ai.response.id"] == exchange.reply_id
        assert attributes_of(call)["gen_ai.response.finish_reasons"] == [exchange.finish_reason]
        assert attributes_of(call)["gen_ai.response.model"] == NAME
    assert predictor.status.status_code is StatusCode.ERROR
    assert attributes_of(predictor)["error.type"] == PARSE_ERROR
    assert events(telemetry, "Predict ReviewLamp") == [
        ("dspy.adapter.parse_error", {"dspy.adapter.name": "ChatAdapter", "error.type": PARSE_ERROR}),
        ("dspy.adapter.fallback", {"dspy.adapter.from": "ChatAdapter", "dspy.adapter.to": "JSONAdapter"}),
        ("dspy.adapter.parse_error", {"dspy.adapter.name": "JSONAdapter", "error.type": PARSE_ERROR}),
    ]


async def test_a_streamed_reply_that_misses_the_layout_is_paid_once(telemetry: Recorded, wire: RecordingProxy) -> None:
    dspy.configure(lm=language_model(wire, max_tokens=TOO_FEW_TOKENS))

    with pytest.raises(AdapterParseError):
        await stream(dspy.Predict(ReviewLamp), lamp="Fjord")

    # What was shown already is not asked for again: DSPy leaves out the fallback.
    [exchange] = wire.exchanges
    call, predictor = telemetry.span(CHAT), telemetry.span("Predict ReviewLamp")
    assert client_of(exchange) == "lm15"
    assert tokens_in(call) == tokens_on(exchange)
    assert roll_up_in(predictor) == roll_up_of([exchange])
    assert call.status.status_code is StatusCode.UNSET
    assert predictor.status.status_code is StatusCode.ERROR
    assert events(telemetry, "Predict ReviewLamp") == [parse_error("ChatAdapter")]


async def test_dspys_own_engine_asks_for_the_usage_of_a_stream(telemetry: Recorded, wire: RecordingProxy) -> None:
    dspy.configure(lm=language_model(wire, max_tokens=12))

    prediction = await stream(Parrot(), question="Where is the Nile?")

    [exchange] = wire.exchanges
    call = telemetry.span(CHAT)
    assert client_of(exchange) == "lm15"
    assert exchange.request["stream_options"] == {"include_usage": True}
    assert prediction.answer == "".join(exchange.pieces)
    assert tokens_in(call) == tokens_on(exchange)
    assert roll_up_in(telemetry.span("invoke_workflow Parrot")) == roll_up_of([exchange])
    assert attributes_of(call)["gen_ai.request.stream"] is True
    assert attributes_of(call)["gen_ai.response.finish_reasons"] == [exchange.finish_reason]
    assert 0 < attributes_of(call)["gen_ai.response.time_to_first_chunk"] < seconds_of(call)


def test_a_grammar_makes_the_model_fill_every_field_through_litellm(telemetry: Recorded, wire: RecordingProxy) -> None:
    dspy.configure(lm=language_model(wire), adapter=GrammarAdapter())

    review = dspy.ChainOfThought(ReviewLamp)(lamp="Fjord")

    assert review.kind in {"desk lamp", "floor lamp"}
    assert (type(review.reasoning), type(review.brightness), type(review.drawbacks)) == (str, float, list)
    [exchange] = wire.exchanges
    call = telemetry.span(CHAT)
    assert client_of(exchange) == "DSPy"
    assert exchange.request["grammar"].startswith(r'root ::= "[[ ## reasoning ## ]]\n" field-0')
    assert tokens_in(call) == tokens_on(exchange)
    assert attributes_of(call)["gen_ai.response.id"] == exchange.reply_id
    assert attributes_of(call)["gen_ai.response.finish_reasons"] == ["stop"]
    assert attributes_of(call)["dspy.adapter.name"] == "GrammarAdapter"
    assert roll_up_in(telemetry.span("ChainOfThought ReviewLamp")) == roll_up_of([exchange])
    assert {span.status.status_code for span in telemetry.spans} == {StatusCode.UNSET}


async def test_litellm_does_not_ask_for_the_usage_of_a_stream_and_the_span_tells_none(
    telemetry: Recorded, wire: RecordingProxy
) -> None:
    dspy.configure(lm=language_model(wire), adapter=GrammarAdapter())

    prediction = await stream(dspy.Predict("question -> answer"), question="Where is the Nile?")

    [exchange] = wire.exchanges
    call = telemetry.span(CHAT)
    assert client_of(exchange) == "DSPy"
    assert prediction.answer in "".join(exchange.pieces)
    assert "stream_options" not in exchange.request
    # The model did write something, only nobody says how much: LiteLLM fills in zeros, and they are not told as counts.
    assert exchange.messages[-1]["timings"]["predicted_n"] > 0
    assert (exchange.usage, tokens_in(call)) == (None, {})
    assert attributes_of(call)["gen_ai.request.stream"] is True
    assert 0 < attributes_of(call)["gen_ai.response.time_to_first_chunk"] < seconds_of(call)
    assert roll_up_in(telemetry.span("Predict question -> answer"))["dspy.usage.lm_calls"] == 1


async def test_with_dspys_usage_tracker_litellm_does_ask_for_the_usage_of_a_stream(
    telemetry: Recorded, wire: RecordingProxy
) -> None:
    dspy.configure(lm=language_model(wire), adapter=GrammarAdapter(), track_usage=True)

    await stream(dspy.Predict("question -> answer"), question="Where is the Nile?")

    [exchange] = wire.exchanges
    reported = tokens_on(exchange)
    assert client_of(exchange) == "DSPy"
    # The last one is LiteLLM's own addition: where nothing else is told, all that was written is text.
    as_text = {"gen_ai.usage.text.output_tokens": reported["gen_ai.usage.output_tokens"]}
    assert tokens_in(telemetry.span(CHAT)) == reported | as_text


@pytest.mark.parametrize(("engine", "client"), [("auto", "lm15"), ("litellm", "DSPy")])
async def test_calls_at_the_same_time_have_each_their_own_tokens(
    telemetry: Recorded, wire: RecordingProxy, engine: str, client: str
) -> None:
    lm = language_model(wire, engine=engine)
    prompts = [("Count. " * words, 4 + words) for words in range(8)]

    await asyncio.gather(*(lm.acall(f"{text} Where is the Nile?", max_tokens=limit) for text, limit in prompts))

    on_the_wire = {exchange.reply_id: tokens_on(exchange) for exchange in wire.exchanges}
    in_the_spans = {str(attributes_of(call)["gen_ai.response.id"]): tokens_in(call) for call in telemetry.named(CHAT)}
    assert {client_of(exchange) for exchange in wire.exchanges} == {client}
    assert in_the_spans == on_the_wire
    assert len({tokens["gen_ai.usage.input_tokens"] for tokens in on_the_wire.values()}) == len(prompts)
    points = telemetry.metric_points("gen_ai.client.token.usage")
    assert {str(dict(point.attributes or {})["gen_ai.token.type"]): point.sum for point in points} == {
        "input": sum(tokens["gen_ai.usage.input_tokens"] for tokens in on_the_wire.values()),
        "output": sum(tokens["gen_ai.usage.output_tokens"] for tokens in on_the_wire.values()),
    }


@pytest.mark.parametrize("engine", ["auto", "litellm"])
def test_the_beginning_of_a_prompt_that_the_server_still_has_is_told_as_read_from_its_cache(
    telemetry: Recorded, wire: RecordingProxy, engine: str
) -> None:
    lm = language_model(wire, engine=engine, max_tokens=4)

    lm("Where is the Nile? Name the countries that it flows through.")
    lm("Where is the Nile? Name the countries that it flows through.")

    again = wire.exchanges[1].messages[0]
    assert again["timings"]["cache_n"] > 0
    second = telemetry.named(CHAT)[1]
    assert attributes_of(second)["gen_ai.usage.cache_read.input_tokens"] == again["timings"]["cache_n"]
    assert attributes_of(second)["dspy.cache.hit"] is False
    # The cached ones are part of the input, as the conventions want it and as the server counts.
    assert tokens_in(second) == tokens_on(wire.exchanges[1])
    assert again["timings"]["cache_n"] + again["timings"]["prompt_n"] == again["usage"]["prompt_tokens"]
