"""Spans of embedders: hosted models over HTTP, and functions of the application."""

from __future__ import annotations

import json
import math
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import numpy as np
import pytest
from dspy.clients import embedding as dspy_embedding
from hypothesis import given
from model_server import Failure, Reply
from odd_values import Odd, hostile_values
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, telemetry_context
from opentelemetry.instrumentation.dspy.language_models.providers import ModelIdentity
from opentelemetry.instrumentation.dspy.retrieving.embedding_calls import EmbeddingCall
from opentelemetry.instrumentation.dspy.usage import UsageScope

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

MODEL = "text-embedding-3-small"
NAME = f"embeddings {MODEL}"
TOKENS = "gen_ai.usage.input_tokens"
TEXTS = ["one", "two words", "now three words"]


def hosted(model_server: ModelServer, **settings: Any) -> dspy.Embedder:
    return dspy.Embedder(f"openai/{MODEL}", api_base=model_server.url, api_key="a-secret-key", **settings)


def letters(texts: list[str]) -> list[list[float]]:
    """Embed texts by how often some letters occur in them."""
    return [[float(text.count(letter)) for letter in "aeiou"] for text in texts]


def tokens_of(model_server: ModelServer) -> int:
    """The tokens of all the requests that the server answered."""
    return sum(request.usage["prompt_tokens"] for request in model_server.requests if request.usage is not None)


def test_a_call_of_a_hosted_model_is_one_span(telemetry: Recorded, model_server: ModelServer) -> None:
    assert hosted(model_server, caching=False)(TEXTS).shape == (3, 8)
    span = telemetry.span(NAME)
    assert telemetry.spans == [span]
    assert span.kind is SpanKind.CLIENT
    assert span.status.is_unset
    assert telemetry.attributes(NAME) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": MODEL,
        "gen_ai.embeddings.dimension.count": 8,
        "gen_ai.usage.input_tokens": tokens_of(model_server),
        "server.address": "127.0.0.1",
        "server.port": model_server.port,
        "dspy.cache.hit": False,
        "gen_ai.usage.cost.amount": pytest.approx(tokens_of(model_server) * 0.02 / 1e6),
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
    }
    assert tokens_of(model_server) > 0


async def test_an_async_call_is_the_same_span(telemetry: Recorded, model_server: ModelServer) -> None:
    assert (await hosted(model_server, caching=False).acall(TEXTS)).shape == (3, 8)
    attributes = telemetry.attributes(NAME)
    assert attributes[TOKENS] == tokens_of(model_server)
    assert attributes["gen_ai.response.model"] == MODEL
    assert attributes["gen_ai.embeddings.dimension.count"] == 8


def test_the_batches_of_a_call_are_one_span_with_the_tokens_of_all(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    hosted(model_server, caching=False, batch_size=2)(TEXTS)
    assert len(model_server.requests) == 2
    assert telemetry.attributes(NAME)[TOKENS] == tokens_of(model_server)


def test_a_single_text_has_the_dimensions_of_its_vector(telemetry: Recorded, model_server: ModelServer) -> None:
    assert hosted(model_server, caching=False)("one").shape == (8,)
    assert telemetry.attributes(NAME)["gen_ai.embeddings.dimension.count"] == 8


def test_a_call_that_the_cache_answers_has_used_nothing(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = hosted(model_server)
    embedder(TEXTS)
    embedder(TEXTS)
    assert len(model_server.requests) == 1
    first, second = (span.attributes or {} for span in telemetry.named(NAME))
    assert (first["dspy.cache.hit"], second["dspy.cache.hit"]) == (False, True)
    assert first[TOKENS] == tokens_of(model_server)
    assert TOKENS not in second
    assert second["gen_ai.embeddings.dimension.count"] == 8


async def test_the_cache_answers_async_calls_too(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = hosted(model_server)
    await embedder.acall(TEXTS)
    await embedder.acall(TEXTS)
    assert len(model_server.requests) == 1
    first, second = (span.attributes or {} for span in telemetry.named(NAME))
    assert (first["dspy.cache.hit"], second["dspy.cache.hit"]) == (False, True)
    assert (TOKENS in first, TOKENS in second) == (True, False)


def test_a_call_that_the_cache_answers_in_part_has_used_the_rest(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    embedder = hosted(model_server, batch_size=1)
    embedder(TEXTS[:1])
    telemetry.clear()
    embedder(TEXTS)
    rest = [request.usage["prompt_tokens"] for request in model_server.requests[1:] if request.usage is not None]
    attributes = telemetry.attributes(NAME)
    assert len(rest) == 2
    assert attributes[TOKENS] == sum(rest)
    assert attributes["dspy.cache.hit"] is False


def test_tokens_that_a_reply_does_not_tell_are_not_made_up(telemetry: Recorded, model_server: ModelServer) -> None:
    replies = iter([Reply(text=""), Reply(text="", report_usage=False)])
    model_server.reply = lambda request: next(replies)
    hosted(model_server, caching=False, batch_size=2)(TEXTS)
    assert len(model_server.requests) == 2
    assert TOKENS not in telemetry.attributes(NAME)


def test_no_text_at_all_is_no_answer_of_the_cache(telemetry: Recorded, model_server: ModelServer) -> None:
    hosted(model_server)([])
    attributes = telemetry.attributes(NAME)
    assert attributes["dspy.cache.hit"] is False
    assert "gen_ai.embeddings.dimension.count" not in attributes


def test_the_encoding_is_what_the_request_asks_for(telemetry: Recorded, model_server: ModelServer) -> None:
    hosted(model_server, caching=False)("one", encoding_format="float")
    assert telemetry.attributes(NAME)["gen_ai.request.encoding_formats"] == ["float"]


def test_a_function_is_a_model_of_its_name(telemetry: Recorded) -> None:
    assert dspy.Embedder(letters, caching=False)(TEXTS).shape == (3, 5)
    assert telemetry.attributes("embeddings letters") == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "test_embedding",
        "gen_ai.request.model": "letters",
        "gen_ai.embeddings.dimension.count": 5,
        "dspy.cache.hit": False,
    }


class LocalModel:
    """A model in this process, as libraries have them."""

    def encode(self, texts: list[str], factor: float = 1.0) -> np.ndarray:
        return np.array([[len(text) * factor] for text in texts])

    def __call__(self, texts: list[str]) -> np.ndarray:
        return self.encode(texts)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (LocalModel().encode, "LocalModel.encode"),
        (LocalModel(), "LocalModel"),
        (partial(LocalModel().encode, factor=2.0), "LocalModel.encode"),
    ],
)
def test_a_method_or_an_object_is_named_by_its_class(telemetry: Recorded, model: Any, name: str) -> None:
    dspy.Embedder(model, caching=False)(TEXTS)
    assert telemetry.attributes(f"embeddings {name}")["gen_ai.provider.name"] == "test_embedding"


def test_a_function_of_the_program_itself_has_no_package(telemetry: Recorded) -> None:
    program: dict[str, Any] = {"__name__": "__main__"}
    exec("def embed(texts):\n    return [[1.0] for text in texts]", program)
    dspy.Embedder(program["embed"], caching=False)(TEXTS)
    assert telemetry.attributes("embeddings embed")["gen_ai.provider.name"] == "custom"


def test_the_cache_answers_for_functions_too(telemetry: Recorded) -> None:
    embedder = dspy.Embedder(letters)
    embedder(TEXTS)
    embedder(TEXTS)
    hits = [(span.attributes or {})["dspy.cache.hit"] for span in telemetry.named("embeddings letters")]
    assert hits == [False, True]


def test_an_embedder_that_overrides_the_call_is_one_span(telemetry: Recorded) -> None:
    class Prefixed(dspy.Embedder):
        def __call__(self, inputs: Any, **options: Any) -> Any:
            return super().__call__([f"query: {text}" for text in inputs], **options)

    Prefixed(letters)(TEXTS)
    assert telemetry.tree() == "embeddings letters"


def test_an_embedder_with_a_call_of_its_own_is_no_answer_of_the_cache(telemetry: Recorded) -> None:
    class Own(dspy.Embedder):
        def __call__(self, inputs: Any, **options: Any) -> Any:
            return np.array(letters(inputs))

    Own(letters)(TEXTS)
    assert telemetry.attributes("embeddings letters")["dspy.cache.hit"] is False


def test_a_function_that_asks_a_hosted_model_is_one_span_with_its_tokens(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    inner = hosted(model_server, caching=False)

    def prefixed(texts: list[str]) -> Any:
        return inner([f"query: {text}" for text in texts])

    dspy.Embedder(prefixed, caching=False)(TEXTS)
    assert telemetry.tree() == "embeddings prefixed"
    attributes = telemetry.attributes("embeddings prefixed")
    assert attributes[TOKENS] == tokens_of(model_server)
    assert attributes["gen_ai.response.model"] == MODEL


def test_a_model_that_fails_is_an_error(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.fail_when(lambda request: True, Failure(401, "no such key"))
    with pytest.raises(Exception, match="no such key"):
        hosted(model_server)(TEXTS)
    span = telemetry.span(NAME)
    assert span.status.description is not None
    assert "no such key" in span.status.description
    attributes = telemetry.attributes(NAME)
    # Before 1.109 LiteLLM took a 401 for a bad request.
    assert attributes["error.type"] in (
        "litellm.exceptions.AuthenticationError",
        "litellm.exceptions.BadRequestError",
    )
    assert attributes["dspy.cache.hit"] is False
    assert TOKENS not in attributes


def test_texts_that_are_no_texts_are_an_error(telemetry: Recorded) -> None:
    with pytest.raises(ValueError, match="must be strings"):
        dspy.Embedder(letters)([1, 2])
    assert telemetry.attributes("embeddings letters")["error.type"] == "ValueError"


@pytest.mark.parametrize("capture", ["", "event_only"])
def test_without_content_on_spans_no_text_is_recorded(
    capture: str, start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture=capture)
    hosted(model_server, caching=False)(TEXTS)
    assert "dspy.embeddings.inputs" not in telemetry.attributes(NAME)
    everything = telemetry.everything()
    assert [text for text in ("two words", "a-secret-key") if text in everything] == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("by_name", [False, True], ids=["positional", "by name"])
@pytest.mark.parametrize("texts", [TEXTS, "one"], ids=["several", "one"])
async def test_with_content_the_texts_are_recorded_and_no_key(
    texts: list[str] | str, by_name: bool, is_async: bool, start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="span_and_event", redact=lambda text, kind: text.replace("two", kind))
    embedder = hosted(model_server, caching=False)
    arguments, named = ((), {"inputs": texts}) if by_name else ((texts,), {})
    if is_async:
        await embedder.acall(*arguments, **named)
    else:
        embedder(*arguments, **named)
    wanted = ["one", "input words", "now three words"] if texts is TEXTS else "one"
    assert json.loads(telemetry.attributes(NAME)["dspy.embeddings.inputs"]) == wanted
    assert "a-secret-key" not in telemetry.everything()


def test_of_many_and_long_texts_the_first_are_recorded(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(capture="span_only")
    dspy.Embedder(letters)(["e" * 30_000] * 1_000)
    told = telemetry.attributes("embeddings letters")["dspy.embeddings.inputs"]
    *texts, rest = json.loads(told)
    assert rest == f"… [{1_000 - len(texts)} more items]"
    assert all(text == f"{'e' * 16_384}… [13616 more characters]" for text in texts[:10])
    assert len(told) < 262_144


def test_an_embedding_has_the_conversation_and_the_attributes_around_it(telemetry: Recorded) -> None:
    with telemetry_context(conversation_id="c-42", attributes={"user.id": "u-7"}):
        dspy.Embedder(letters)(TEXTS)
    attributes = telemetry.attributes("embeddings letters")
    assert attributes["gen_ai.conversation.id"] == "c-42"
    assert attributes["user.id"] == "u-7"


def test_duration_and_tokens_are_measured(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = hosted(model_server)
    embedder(TEXTS)
    embedder(TEXTS)
    operation = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": MODEL,
        "server.address": "127.0.0.1",
        "server.port": model_server.port,
    }
    durations = telemetry.metric_points("gen_ai.client.operation.duration")
    assert [(dict(point.attributes or {}), point.count) for point in durations] == [
        ({**operation, "gen_ai.response.model": MODEL}, 1),
        ({**operation, "dspy.cache.hit": True}, 1),
    ]
    [tokens] = telemetry.metric_points("gen_ai.client.token.usage")
    assert (tokens.count, tokens.sum) == (1, tokens_of(model_server))
    assert tokens.attributes == {**operation, "gen_ai.response.model": MODEL, "gen_ai.token.type": "input"}


def test_an_embedding_that_is_not_sampled_is_measured_all_the_same(
    start_telemetry: StartTelemetry, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    hosted(model_server, caching=False)(TEXTS)
    assert telemetry.spans == []
    [tokens] = telemetry.metric_points("gen_ai.client.token.usage")
    assert tokens.sum == tokens_of(model_server)


def test_suppressed_instrumentation_records_no_embedding(telemetry: Recorded) -> None:
    with suppress_instrumentation():
        dspy.Embedder(letters)(TEXTS)
    assert telemetry.spans == []


def test_dspy_asks_litellm_itself_again_afterwards(start_telemetry: StartTelemetry, model_server: ModelServer) -> None:
    originals = dict(vars(dspy_embedding))
    telemetry = start_telemetry()
    hosted(model_server, caching=False)("one")
    replaced = {name for name, value in vars(dspy_embedding).items() if value is not originals[name]}
    assert replaced & {"litellm", "_get_litellm"}
    DSPyInstrumentor().uninstrument()
    assert [name for name, value in vars(dspy_embedding).items() if value is not originals[name]] == []
    assert hosted(model_server, caching=False)("one").shape == (8,)
    assert len(telemetry.spans) == 1


@given(hostile_values, hostile_values, hostile_values)
def test_of_a_reply_only_a_count_a_price_and_a_name_are_taken(count: Odd, name: Odd, price: Odd) -> None:
    total = UsageScope()
    embedding = EmbeddingCall("small", ModelIdentity("odd", "small"), is_hosted=True, totals=[total])
    embedding.note_reply({"model": "small", "usage": {"prompt_tokens": 7, "cost": 0.5}})
    odd = {"prompt_tokens": count.make(), "cost": price.make()}
    embedding.note_reply(SimpleNamespace(model=name.make(), usage=odd))
    embedding.count(None, vectors=2)
    outcome = embedding.outcome()
    assert outcome is not None
    assert type(outcome.response_model) is str
    tokens, cost = outcome.usage.input_tokens, outcome.cost
    assert tokens is None or (type(tokens) is int and tokens > 7)
    assert cost is None or (type(cost) is float and math.isfinite(cost) and cost >= 0.5)
    assert total.embedding_calls == 1
    assert total.embedding_tokens == (7 if tokens is None else tokens)
    assert (total.cost_unknown_calls, total.cost) == ((1, 0.5) if cost is None else (0, cost))
    embedding.note_reply(count.make())
    assert embedding.failure is None
