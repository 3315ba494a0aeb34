"""Engines that the application gives to ``dspy.LM``, and requests in the form that engines take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.clients.engines.litellm_engine import LiteLLMEngine
from dspy.clients.engines.lm15_engine import LM15Engine
from dspy.lm15 import AnthropicLM, Config, Message, Reasoning, Request, Response, RouterConfig, Usage
from opentelemetry.trace import StatusCode
from provider_server import ProviderServer, reply_body

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded

CHAT = "chat gpt-4o-mini"
CLAUDE = "chat claude-sonnet-4-5"


class Parrot:
    """An engine that counts its tokens."""

    def complete(self, request: Request) -> Response:
        usage = Usage(input_tokens=3, output_tokens=2)
        answer = Message.assistant("There.")
        return Response(id="p-1", model="parrot-2", message=answer, finish_reason="length", usage=usage)


class AsyncParrot(Parrot):
    async def complete(self, request: Request) -> Response:  # type: ignore[override]
        return super().complete(request)


def test_an_engine_is_the_provider_of_a_model_that_names_none(telemetry: Recorded) -> None:
    dspy.LM("polly", engine=Parrot(), cache=False)("Where?")
    assert telemetry.attributes("chat polly") == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "Parrot",
        "gen_ai.request.model": "polly",
        "gen_ai.response.model": "parrot-2",
        "gen_ai.response.id": "p-1",
        "gen_ai.response.finish_reasons": ["length"],
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 2,
        "dspy.cache.hit": False,
    }


def test_a_model_that_names_its_provider_keeps_it_on_any_engine(telemetry: Recorded) -> None:
    dspy.LM("mistral/polly", engine=Parrot(), cache=False)("Where?")
    assert telemetry.attributes("chat polly")["gen_ai.provider.name"] == "mistral_ai"


async def test_an_async_engine_is_recorded_like_a_sync_one(telemetry: Recorded) -> None:
    language_model = dspy.LM("polly", engine=Parrot(), async_engine=AsyncParrot(), cache=False)
    await language_model.acall("Where?")
    attributes = telemetry.attributes("chat polly")
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (3, 2)


async def test_an_engine_that_lacks_its_async_side_is_an_error(telemetry: Recorded) -> None:
    with pytest.raises(dspy.LMError):
        await dspy.LM("polly", engine=Parrot(), cache=False).acall("Where?")
    assert telemetry.span("chat polly").status.status_code is StatusCode.ERROR
    error_type = telemetry.attributes("chat polly")["error.type"]
    assert error_type == "dspy.utils.exceptions.LMUnsupportedFeatureError"


def test_an_exception_of_an_engine_is_the_error_that_dspy_makes_of_it(telemetry: Recorded) -> None:
    class Broken(Parrot):
        def complete(self, request: Request) -> Response:
            raise ZeroDivisionError("of course")

    with pytest.raises(dspy.LMError):
        dspy.LM("polly", engine=Broken(), cache=False)("Where?")
    assert telemetry.attributes("chat polly")["error.type"] == "dspy.utils.exceptions.LMUnexpectedError"


def test_what_an_engine_answers_from_the_cache_is_a_hit(telemetry: Recorded) -> None:
    language_model = dspy.LM("polly", engine=Parrot())
    language_model("Where?")
    language_model("Where?")
    _, hit = (dict(span.attributes or {}) for span in telemetry.spans)
    assert hit["dspy.cache.hit"] is True
    assert (hit["dspy.cache.saved_input_tokens"], hit["dspy.cache.saved_output_tokens"]) == (3, 2)
    assert "dspy.cache.saved_cost" not in hit


def claude(engine: Any, model: str = "claude-sonnet-4-5") -> dspy.LM:
    return dspy.LM(model, engine=engine)


@pytest.mark.parametrize("kind", ["provider of DSPy's client", "DSPy's client"])
def test_an_engine_of_dspys_client_counts_what_its_provider_counts_apart(telemetry: Recorded, kind: str) -> None:
    """DSPy itself takes the counts of an engine as they are: here 21 tokens of input, 4096 of them cached."""
    with ProviderServer(reply_body("anthropic_messages")) as server:
        if kind == "DSPy's client":
            config = RouterConfig(api_keys={"anthropic": "test-key"}, base_urls={"anthropic": server.url})
            language_model = claude(LM15Engine(config), "anthropic/claude-sonnet-4-5")
        else:
            language_model = claude(AnthropicLM(api_key="test-key", base_url=server.url))
        language_model("Where?")
        language_model("Where?")
        assert len(server.requests) == 1
    first, hit = (dict(span.attributes or {}) for span in telemetry.named(CLAUDE))
    assert first["gen_ai.provider.name"] == "anthropic"
    assert first["gen_ai.usage.input_tokens"] == 4305
    assert first["gen_ai.usage.cache_read.input_tokens"] == 4096
    assert first["gen_ai.usage.cache_write.input_tokens"] == 188
    assert first["gen_ai.usage.output_tokens"] == 393
    assert (first["server.address"], first["server.port"]) == (server.host, server.port)
    assert (hit["dspy.cache.saved_input_tokens"], hit["dspy.cache.saved_output_tokens"]) == (4305, 393)


def test_a_litellm_engine_of_the_application_is_recorded_like_dspys(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    engine = LiteLLMEngine(api_base=model_server.url, api_key="test-key")
    language_model = dspy.LM("openai/gpt-4o-mini", engine=engine, cache=False)
    language_model(Request(model="openai/gpt-4o-mini", messages=(Message.user("Where?"),)))
    attributes = telemetry.attributes(CHAT)
    [asked] = model_server.requests
    assert asked.usage is not None
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["gen_ai.usage.input_tokens"] == asked.usage["prompt_tokens"]
    assert attributes["gen_ai.usage.output_tokens"] == asked.usage["completion_tokens"]
    assert (attributes["server.address"], attributes["server.port"]) == (model_server.host, model_server.port)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
async def test_a_request_has_the_parameters_of_its_own_config(
    telemetry: Recorded, model_server: ModelServer, asynchronous: bool
) -> None:
    language_model = dspy.LM("openai/gpt-5-mini", api_base=model_server.url, api_key="test-key", cache=False)
    config = Config(
        max_tokens=300,
        stop=("END",),
        seed=4,
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        reasoning=Reasoning(effort="low"),
        response_format={"type": "json_object"},
    )
    request = Request(model=language_model.model, messages=(Message.user("Where?"),), config=config)
    reply = await language_model.acall(request) if asynchronous else language_model(request)
    assert isinstance(reply, Response)
    attributes = telemetry.attributes("chat gpt-5-mini")
    parameters = {
        name: value
        for name, value in attributes.items()
        if name.startswith("gen_ai.request.") or name == "gen_ai.output.type"
    }
    assert parameters == {
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.request.max_tokens": 300,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.seed": 4,
        "gen_ai.request.frequency_penalty": 0.5,
        "gen_ai.request.presence_penalty": -0.5,
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.output.type": "json",
    }
    assert model_server.requests[0].usage is not None
    assert attributes["gen_ai.usage.input_tokens"] == model_server.requests[0].usage["prompt_tokens"]


def test_a_request_by_keyword_and_from_the_cache_is_a_call_like_any_other(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    language_model = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key")
    for _ in range(2):
        language_model(request=Request(model=language_model.model, messages=(Message.user("Where?"),)))
    assert len(model_server.requests) == 1
    assert [(span.attributes or {})["dspy.cache.hit"] for span in telemetry.named(CHAT)] == [False, True]


def test_settings_that_a_provider_does_not_take_are_told(telemetry: Recorded) -> None:
    with ProviderServer(reply_body("anthropic_messages")) as server:
        settings = {"api_base": server.url, "api_key": "test-key", "cache": False}
        dspy.LM("anthropic/claude-sonnet-4-5", max_tokens=100, **settings)("Where?", seed=4, temperature=1.7)
    assert sorted(telemetry.attributes(CLAUDE)["dspy.lm.adaptations"]) == [
        "config.seed dropped",
        "config.temperature clamped",
    ]


def test_a_subclass_with_its_own_forward_is_one_span_with_the_tokens_of_its_reply(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    class Careful(dspy.LM):
        def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            return super().forward(prompt=f"Carefully: {prompt}", messages=messages, **settings)

    settings = {"api_base": model_server.url, "api_key": "test-key", "cache": False}
    with pytest.warns(DeprecationWarning, match="forward"):
        Careful("openai/gpt-4o-mini", **settings)("Where?")
    [request] = model_server.requests
    assert request.body["messages"][-1]["content"] == "Carefully: Where?"
    assert request.usage is not None
    assert telemetry.tree() == CHAT
    attributes = telemetry.attributes(CHAT)
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["gen_ai.usage.input_tokens"] == request.usage["prompt_tokens"]
    assert attributes["gen_ai.usage.output_tokens"] == request.usage["completion_tokens"]


def test_a_copy_of_a_language_model_is_recorded_with_its_own_settings(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    original = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)
    original.copy(temperature=0.3)("Where?")
    assert telemetry.attributes(CHAT)["gen_ai.request.temperature"] == 0.3
