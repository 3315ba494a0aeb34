"""Language models that the application defines, and DSPy's own for tests, are recorded like ``dspy.LM``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import openai
import pytest
from dspy.utils import DummyLM
from opentelemetry.trace import StatusCode
from recorded import attributes_of

if TYPE_CHECKING:
    from model_server import ModelServer, Request
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


class Forwarding(dspy.BaseLM):
    """Implements ``forward`` and ``aforward`` with OpenAI's client, as DSPy's documents show it."""

    def __init__(self, server: ModelServer, **settings: Any) -> None:
        super().__init__(model="gpt-4o-mini", **settings)
        self.connection = {"base_url": server.url, "api_key": "test-key", "max_retries": 0}

    def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        with openai.OpenAI(**self.connection) as client:
            messages = messages or [{"role": "user", "content": prompt}]
            return client.chat.completions.create(model=self.model, messages=messages)

    async def aforward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        async with openai.AsyncOpenAI(**self.connection) as client:
            messages = messages or [{"role": "user", "content": prompt}]
            return await client.chat.completions.create(model=self.model, messages=messages)


class Polite(Forwarding):
    """Overrides ``__call__`` and ``acall`` and goes on to the ones of the base class."""

    def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return super().__call__(prompt=f"Please: {prompt}", messages=messages, **settings)

    async def acall(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return await super().acall(prompt=f"Please: {prompt}", messages=messages, **settings)


class Echo(dspy.BaseLM):
    """Overrides ``__call__`` and ``acall`` altogether: there is nothing that could be known of its tokens."""

    def __init__(self) -> None:
        super().__init__(model="echo")

    def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return [prompt]

    async def acall(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return [prompt]


def assert_has_the_tokens_of(attributes: dict[str, Any], request: Request) -> None:
    assert request.usage is not None
    assert attributes["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]
    assert attributes["gen_ai.usage.output_tokens"] == request.usage["completion_tokens"]
    assert attributes["gen_ai.response.id"] == request.reply_id
    assert attributes["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert attributes["dspy.cache.hit"] is False


@pytest.mark.parametrize("kind", [Forwarding, Polite])
def test_a_language_model_of_the_application_is_one_span(
    telemetry: Recorded, model_server: ModelServer, kind: type[Forwarding]
) -> None:
    assert kind(model_server)("Where?") == [model_server.requests[0].texts[0]]
    assert telemetry.tree() == "chat gpt-4o-mini"
    attributes = telemetry.attributes("chat gpt-4o-mini")
    assert attributes["gen_ai.provider.name"] == kind.__name__
    assert_has_the_tokens_of(attributes, model_server.requests[0])


@pytest.mark.parametrize("kind", [Forwarding, Polite])
async def test_it_is_one_span_when_it_is_called_asynchronously(
    telemetry: Recorded, model_server: ModelServer, kind: type[Forwarding]
) -> None:
    await kind(model_server).acall("Where?")
    assert telemetry.tree() == "chat gpt-4o-mini"
    assert_has_the_tokens_of(telemetry.attributes("chat gpt-4o-mini"), model_server.requests[0])


def test_it_is_called_by_predictors_like_any_other(telemetry: Recorded, model_server: ModelServer) -> None:
    dspy.configure(lm=Forwarding(model_server))
    dspy.Predict("question -> answer")(question="Where?")
    assert telemetry.tree() == "Predict question -> answer\n  chat gpt-4o-mini"
    predictor = telemetry.attributes("Predict question -> answer")
    assert predictor["dspy.usage.lm_calls"] == 1
    assert predictor["dspy.usage.input_tokens"] == model_server.requests[0].usage["prompt_tokens"]


async def test_one_that_keeps_its_tokens_to_itself_is_a_span_without(telemetry: Recorded) -> None:
    echo = Echo()
    assert echo("Where?") == ["Where?"]
    assert await echo.acall("Where?") == ["Where?"]
    assert telemetry.tree() == "chat echo\nchat echo"
    for span in telemetry.spans:
        assert [name for name in span.attributes or {} if "usage" in name] == []


async def test_the_language_model_for_tests_is_one_span_for_each_call(telemetry: Recorded) -> None:
    dummy = DummyLM([{"answer": "Here"}, {"answer": "There"}])
    dspy.configure(lm=dummy)
    assert dspy.Predict("question -> answer")(question="Where?").answer == "Here"
    assert (await dspy.Predict("question -> answer").acall(question="Where?")).answer == "There"
    assert telemetry.tree() == ("Predict question -> answer\n  chat dummy\nPredict question -> answer\n  chat dummy")
    for span in telemetry.named("chat dummy"):
        assert (span.attributes or {})["gen_ai.provider.name"] == "DummyLM"
        assert "gen_ai.usage.cost.amount" not in (span.attributes or {})


def test_a_language_model_that_asks_others_is_one_call_with_their_tokens(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    class Router(dspy.BaseLM):
        def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            draft = Forwarding(model_server)(prompt)
            return Forwarding(model_server)(f"Improve: {draft}")

    dspy.configure(lm=Router(model="router"))
    with dspy.context(adapter=dspy.ChatAdapter()):
        Router(model="router")("Where?")
    assert telemetry.tree() == "chat router"
    usages = [request.usage for request in model_server.requests if request.usage is not None]
    attributes = telemetry.attributes("chat router")
    assert attributes["gen_ai.usage.input_tokens"] == sum(usage["prompt_tokens"] for usage in usages)
    assert attributes["gen_ai.usage.output_tokens"] == sum(usage["completion_tokens"] for usage in usages)


def test_an_embedding_from_the_cache_does_not_make_the_call_a_hit(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    computed: list[str] = []

    def embed(texts: list[str]) -> list[list[float]]:
        computed.extend(texts)
        return [[float(len(text))] for text in texts]

    class Remembering(Forwarding):
        embedder = dspy.Embedder(embed, caching=True)

        def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            self.embedder(["Where?"])
            return super().forward(prompt=prompt, messages=messages)

    for _ in range(2):
        Remembering(model_server)("Where?")
    assert computed == ["Where?"]
    for span, request in zip(telemetry.named("chat gpt-4o-mini"), model_server.requests, strict=True):
        assert_has_the_tokens_of(attributes_of(span), request)


def test_its_own_exception_is_the_error_of_the_span(telemetry: Recorded) -> None:
    class Moody(dspy.BaseLM):
        def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        Moody(model="moody")("Where?")
    span = telemetry.span("chat moody")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "not today")
    assert telemetry.attributes("chat moody")["error.type"] == "ValueError"
