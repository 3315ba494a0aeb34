"""The model server answers real DSPy programs on both of DSPy's engines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import dspy
import pytest
from model_server import Failure, ModelServer, Reply, ToolCall, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def local_price_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as model_server:
        yield model_server


def language_model(server: ModelServer, **settings: Any) -> dspy.LM:
    return dspy.LM("openai/gpt-4o-mini", api_base=server.url, api_key="test-key", cache=False, **settings)


@pytest.fixture(params=["auto", "litellm"])
def lm(server: ModelServer, request: pytest.FixtureRequest) -> Iterator[dspy.LM]:
    """A language model on each of DSPy's two engines."""
    engine = {} if request.param == "auto" else {"engine": "litellm"}
    lm = language_model(server, **engine)
    with dspy.context(lm=lm):
        yield lm


def test_an_unscripted_answer_fills_every_typed_field(server: ModelServer, lm: dspy.LM) -> None:
    class Judge(dspy.Signature):
        answer: str = dspy.InputField()
        score: float = dspy.OutputField(desc="between 0 and 1")
        count: int = dspy.OutputField()
        good: bool = dspy.OutputField()
        verdict: Literal["accept", "send back"] = dspy.OutputField()
        reasons: list[str] = dspy.OutputField()

    prediction = dspy.Predict(Judge)(answer="42")
    assert prediction.score == 0.5
    assert prediction.count == 7
    assert prediction.good is True
    assert prediction.verdict == "accept"
    assert prediction.reasons == [server.requests[0].prompt.default_text("reasons")]


@pytest.mark.parametrize("adapter", ["ChatAdapter", "JSONAdapter", "XMLAdapter"])
def test_every_adapter_parses_the_unscripted_answer(server: ModelServer, lm: dspy.LM, adapter: str) -> None:
    with dspy.context(adapter=getattr(dspy, adapter)()):
        prediction = dspy.ChainOfThought("question -> answer: float")(question="How much?")
    assert prediction.answer == 0.5
    assert prediction.reasoning == server.requests[0].prompt.default_text("reasoning")
    assert len(server.requests) == 1


async def test_an_asynchronous_call_is_answered_like_a_synchronous_one(server: ModelServer, lm: dspy.LM) -> None:
    module = dspy.ChainOfThought("question -> answer")
    assert (await module.acall(question="Where?")).toDict() == module(question="Where?").toDict()


def test_dspy_sees_the_usage_that_the_request_and_the_reply_give(server: ModelServer, lm: dspy.LM) -> None:
    dspy.Predict("question -> answer")(question="Where?")
    [request] = server.requests
    assert request.usage == usage_of(request.body, request.texts)
    usage = lm.history[-1]["usage"]
    assert {name: usage[name] for name in request.usage} == request.usage


def test_the_reply_names_a_dated_model_and_an_id_that_leads_back_to_the_request(
    server: ModelServer, lm: dspy.LM
) -> None:
    dspy.Predict("question -> answer")(question="Where?")
    dspy.Predict("question -> answer")(question="And when?")
    assert lm.history[-1]["response_model"] == "gpt-4o-mini-2024-07-18"
    assert "And when?" in server.request_of("chatcmpl-2").prompt.last_message
    with pytest.raises(LookupError):
        server.request_of("chatcmpl-3")


def test_an_unscripted_agent_calls_each_tool_once_and_finishes(server: ModelServer, lm: dspy.LM) -> None:
    def weather(city: str, days: int = 1) -> str:
        """The weather in a city."""
        return f"{days} day of sun in {city}"

    def clock(hour: int) -> str:
        return f"{hour} sharp"

    trajectory = dspy.ReAct("question -> answer", tools=[weather, clock])(question="Sun?").trajectory
    assert [trajectory[f"tool_name_{step}"] for step in range(3)] == ["weather", "clock", "finish"]
    city = server.requests[0].prompt.default_text("city")
    assert trajectory["tool_args_0"] == {"city": city}
    assert trajectory["observation_0"] == f"1 day of sun in {city}"
    assert trajectory["observation_1"] == "7 sharp"
    assert len(server.requests) == 4


def test_three_choices_are_three_replies(server: ModelServer, lm: dspy.LM) -> None:
    answers = iter(["red", "green", "blue"])
    # The native engine asks three times for one choice, LiteLLM once for three.
    server.reply = lambda request: [{"answer": next(answers)} for _ in range(request.body.get("n", 1))]
    prediction = dspy.Predict("question -> answer", n=3, temperature=1.0)(question="Colour?")
    assert sorted(prediction.completions.answer) == ["blue", "green", "red"]


async def test_a_stream_brings_the_answer_in_chunks_of_a_word(server: ModelServer, lm: dspy.LM) -> None:
    server.reply = {"Colour?": {"answer": "light red and blue"}}
    listeners = [dspy.streaming.StreamListener("answer")]
    program = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=listeners)
    items = [item async for item in program(question="Colour?")]
    assert "".join(item.chunk for item in items[:-1]) == "light red and blue"
    assert len([item for item in items[:-1] if item.chunk]) > 1
    assert items[-1].answer == "light red and blue"


def test_a_scripted_tool_call_reaches_the_caller(server: ModelServer) -> None:
    server.reply = lambda request: Reply(tool_calls=[ToolCall("weather", {"city": "Oslo"})])
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    [output] = language_model(server)("Sun?", tools=[tool])
    call = output["tool_calls"][0]["function"]
    assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Oslo"})


def test_details_of_the_usage_are_scripted_and_the_text_still_has_its_default(server: ModelServer, lm: dspy.LM) -> None:
    server.reply = lambda request: Reply(
        prompt_details={"cached_tokens": 40}, completion_details={"reasoning_tokens": 12}
    )
    prediction = dspy.Predict("question -> answer")(question="Where?")
    [request] = server.requests
    assert prediction.answer == request.prompt.default_text("answer")
    usage = lm.history[-1]["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 40
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 12
    assert usage["completion_tokens"] == usage_of(request.body, request.texts)["completion_tokens"] + 12


def test_a_scripted_failure_is_retried_as_the_headers_say(server: ModelServer) -> None:
    server.fail_next(Failure(429, "slow down", headers={"Retry-After": "0"}), times=2)
    with dspy.context(lm=language_model(server)):
        dspy.Predict("question -> answer")(question="Where?")
    assert [request.status for request in server.requests] == [429, 429, 200]
    assert [request.reply_id for request in server.requests] == [None, None, "chatcmpl-3"]


def test_a_failure_meets_the_requests_that_it_is_meant_for(server: ModelServer, lm: dspy.LM) -> None:
    server.fail_when(
        lambda request: "forbidden" in request.prompt.text,
        Failure(400, "not that", code="content_policy_violation"),
    )
    predict = dspy.Predict("question -> answer")
    assert predict(question="allowed").answer
    with pytest.raises(Exception, match="not that"):
        predict(question="forbidden")
    assert predict(question="also allowed").answer


def test_requests_keep_their_headers_with_names_in_lower_case(server: ModelServer, lm: dspy.LM) -> None:
    dspy.Predict("question -> answer")(question="Where?")
    assert server.requests[0].headers["authorization"] == "Bearer test-key"


def test_text_completions_responses_and_embeddings_are_answered_too(server: ModelServer) -> None:
    with dspy.context(lm=language_model(server, model_type="text")):
        assert dspy.Predict("question -> answer")(question="Where?").answer
    with dspy.context(lm=language_model(server, model_type="responses")):
        assert dspy.Predict("question -> answer")(question="Where?").answer
    embedder = dspy.Embedder("openai/text-embedding-3-small", api_base=server.url, api_key="test-key", caching=False)
    assert embedder(["one", "two three"]).shape == (2, 8)
    assert [request.path for request in server.requests] == [
        "/v1/completions",
        "/v1/responses",
        "/v1/embeddings",
    ]
    assert [request.reply_id for request in server.requests] == ["cmpl-1", "resp-2", "embd-3"]
    assert server.requests[2].usage == {"prompt_tokens": 9, "total_tokens": 9}


async def test_a_streamed_response_brings_the_same_text(server: ModelServer) -> None:
    with dspy.context(lm=language_model(server, model_type="responses")):
        program = dspy.streamify(dspy.Predict("question -> answer"))
        *chunks, prediction = [item async for item in program(question="Where?")]
    [request] = server.requests
    assert request.body["stream"] is True
    assert len(chunks) > 1
    assert prediction.answer == request.prompt.default_text("answer")
