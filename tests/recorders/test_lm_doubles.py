"""Where the provider's client is instrumented too, tokens and price of a call are counted once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import openai
import pytest
from model_server import Failure
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server import ModelServer
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

CHAT = "chat gpt-4o-mini"


@pytest.fixture
def telemetry(telemetry: Recorded) -> Iterator[Recorded]:
    """DSPy and OpenAI's client, instrumented with the same providers."""
    OpenAIInstrumentor().instrument(**telemetry.providers)
    yield telemetry
    OpenAIInstrumentor().uninstrument()


def litellm(server: ModelServer, **settings: Any) -> dspy.LM:
    defaults = {"api_base": server.url, "api_key": "test-key", "cache": False, "num_retries": 0}
    return dspy.LM("openai/gpt-4o-mini", engine="litellm", **{**defaults, **settings})


class WithOpenAI(dspy.BaseLM):
    """Calls OpenAI's client and hands its reply to DSPy."""

    def __init__(self, server: ModelServer) -> None:
        super().__init__(model="gpt-4o-mini")
        self.connection = {"base_url": server.url, "api_key": "test-key", "max_retries": 0}

    def ask(self, prompt: str) -> Any:
        with openai.OpenAI(**self.connection) as client:
            return client.chat.completions.create(model=self.model, messages=[{"role": "user", "content": prompt}])

    def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return self.ask(prompt or messages[-1]["content"])


class Discreet(WithOpenAI):
    """Calls OpenAI's client and tells DSPy the answer alone."""

    def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        return [self.ask(prompt or messages[-1]["content"]).choices[0].message.content]


def tokens_counted(telemetry: Recorded) -> dict[str, tuple[int, int]]:
    """How many calls were counted and with how many tokens, by the type of token."""
    counted: dict[str, tuple[int, int]] = {}
    for point in telemetry.metric_points("gen_ai.client.token.usage"):
        kind = str((point.attributes or {})["gen_ai.token.type"])
        calls, tokens = counted.get(kind, (0, 0))
        counted[kind] = (calls + point.count, tokens + point.sum)
    return counted


def assert_counted_once(telemetry: Recorded, server: ModelServer) -> None:
    [request] = [request for request in server.requests if request.status == 200]
    assert request.usage is not None
    prompt_tokens, completion_tokens = request.usage["prompt_tokens"], request.usage["completion_tokens"]
    assert telemetry.tree() == CHAT
    assert telemetry.span(CHAT).instrumentation_scope.name == "opentelemetry.instrumentation.dspy"
    attributes = telemetry.attributes(CHAT)
    assert attributes["gen_ai.usage.input_tokens"] == prompt_tokens
    assert attributes["gen_ai.usage.output_tokens"] == completion_tokens
    assert attributes["gen_ai.response.id"] == request.reply_id
    assert tokens_counted(telemetry) == {"input": (1, prompt_tokens), "output": (1, completion_tokens)}
    assert sum(point.count for point in telemetry.metric_points("gen_ai.client.operation.duration")) == 1


def test_the_other_instrumentation_would_count_the_call(telemetry: Recorded, model_server: ModelServer) -> None:
    """Without this there would be nothing to count twice: outside of DSPy's calls the other one makes its own span."""
    WithOpenAI(model_server).ask("Where?")
    assert telemetry.tree() == CHAT
    assert telemetry.span(CHAT).instrumentation_scope.name == "opentelemetry.instrumentation.genai.openai"
    assert list(tokens_counted(telemetry)) == ["input", "output"]


def test_a_call_through_litellm_is_counted_once(telemetry: Recorded, model_server: ModelServer) -> None:
    with usage_scope() as usage:
        litellm(model_server)("Where?")
    assert_counted_once(telemetry, model_server)
    [cost] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert (cost.count, cost.sum) == (1, usage.cost)


async def test_an_async_call_through_litellm_is_counted_once(telemetry: Recorded, model_server: ModelServer) -> None:
    await litellm(model_server).acall("Where?")
    assert_counted_once(telemetry, model_server)


def test_an_attempt_that_failed_leaves_no_trace_on_the_call_that_succeeded(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    model_server.fail_next(Failure(429, "Rate limit reached", headers={"x-should-retry": "false"}))
    litellm(model_server, num_retries=1)("Where?")
    assert_counted_once(telemetry, model_server)
    assert "error.type" not in telemetry.attributes(CHAT)
    [duration] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert "error.type" not in (duration.attributes or {})


def test_a_language_model_that_calls_the_client_is_counted_once(telemetry: Recorded, model_server: ModelServer) -> None:
    with usage_scope() as usage:
        WithOpenAI(model_server)("Where?")
    assert_counted_once(telemetry, model_server)
    assert (usage.lm_calls, usage.input_tokens) == (1, telemetry.attributes(CHAT)["gen_ai.usage.input_tokens"])


def test_what_only_the_other_instrumentation_knows_is_in_the_roll_up_too(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    with usage_scope() as usage:
        Discreet(model_server)("Where?")
    assert_counted_once(telemetry, model_server)
    attributes = telemetry.attributes(CHAT)
    assert usage.lm_calls == 1
    assert usage.input_tokens == attributes["gen_ai.usage.input_tokens"]
    assert usage.output_tokens == attributes["gen_ai.usage.output_tokens"]
    assert usage.cost_unknown_calls == 1


def test_a_reply_from_the_cache_is_counted_with_no_tokens(telemetry: Recorded, model_server: ModelServer) -> None:
    language_model = litellm(model_server, cache=True)
    language_model("Where?")
    language_model("Where?")
    _, hit = telemetry.named(CHAT)
    assert (hit.attributes or {})["dspy.cache.hit"] is True
    assert "gen_ai.usage.input_tokens" not in (hit.attributes or {})
    assert [calls for calls, _ in tokens_counted(telemetry).values()] == [1, 1]
