"""What embedders used is in the roll-up of every span above, by role in an optimizer run, in whatever thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from opentelemetry.instrumentation.dspy import Usage, usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conftest import StartTelemetry
    from model_server import ModelServer
    from opentelemetry.sdk.trace import ReadableSpan
    from recorded import Recorded

MODEL = "text-embedding-3-small"
NAME = f"embeddings {MODEL}"
CHAT = "chat gpt-4o-mini"
PRICE = "gen_ai.usage.cost.amount"
TOKENS = "gen_ai.usage.input_tokens"


@pytest.fixture
def embedder(model_server: ModelServer) -> dspy.Embedder:
    return dspy.Embedder(f"openai/{MODEL}", api_base=model_server.url, api_key="a-key", caching=False)


class Library(dspy.Module):
    """Embeds what is asked, and asks a language model if there is one."""

    def __init__(self, embedder: dspy.Embedder, *, asks: bool = True) -> None:
        super().__init__()
        self.embedder = embedder
        self.answer = dspy.Predict("question -> answer") if asks else None

    def forward(self, question: str) -> Any:
        self.embedder([question, "a second text"])
        return self.answer(question=question) if self.answer is not None else dspy.Prediction(answer="none")

    async def aforward(self, question: str) -> Any:
        await self.embedder.acall([question, "a second text"])
        return await self.answer.acall(question=question) if self.answer is not None else dspy.Prediction(answer="none")


def usage(span: ReadableSpan) -> dict[str, Any]:
    return {
        name.removeprefix("dspy.usage."): value
        for name, value in (span.attributes or {}).items()
        if name.startswith("dspy.usage.")
    }


def summed(spans: Iterable[ReadableSpan], name: str) -> Any:
    return sum((span.attributes or {})[name] for span in spans)


def letters(texts: list[str]) -> list[list[float]]:
    return [[float(text.count(letter)) for letter in "aeiou"] for text in texts]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_program_has_the_tokens_apart_and_the_price_of_both(
    telemetry: Recorded, lm: dspy.LM, embedder: dspy.Embedder, is_async: bool
) -> None:
    program = Library(embedder)
    asyncio.run(program.acall(question="Where?")) if is_async else program(question="Where?")
    embedded, chat = telemetry.attributes(NAME), telemetry.attributes(CHAT)
    assert usage(telemetry.span("invoke_workflow Library")) == {
        "lm_calls": 1,
        "input_tokens": chat[TOKENS],
        "output_tokens": chat["gen_ai.usage.output_tokens"],
        "embedding_calls": 1,
        "embedding_tokens": embedded[TOKENS],
        "cost": pytest.approx(chat[PRICE] + embedded[PRICE]),
    }
    assert "embedding_calls" not in usage(telemetry.span("Predict answer"))


def test_a_program_that_only_embeds_has_a_roll_up_with_no_language_model_calls(
    telemetry: Recorded, embedder: dspy.Embedder
) -> None:
    Library(embedder, asks=False)(question="Where?")
    embedded = telemetry.attributes(NAME)
    assert usage(telemetry.span("invoke_workflow Library")) == {
        "lm_calls": 0,
        "embedding_calls": 1,
        "embedding_tokens": embedded[TOKENS],
        "cost": embedded[PRICE],
    }


def test_a_program_whose_embeddings_have_no_known_price_has_no_cost(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    nameless = dspy.Embedder("openai/my-deployment", api_base=model_server.url, api_key="a-key", caching=False)
    Library(nameless, asks=False)(question="Where?")
    assert usage(telemetry.span("invoke_workflow Library")) == {
        "lm_calls": 0,
        "embedding_calls": 1,
        "embedding_tokens": telemetry.attributes("embeddings my-deployment")[TOKENS],
        "cost_unknown_calls": 1,
    }


def test_a_function_is_a_call_and_nothing_is_said_of_its_price(telemetry: Recorded) -> None:
    Library(dspy.Embedder(letters, caching=False), asks=False)(question="Where?")
    assert usage(telemetry.span("invoke_workflow Library")) == {"lm_calls": 0, "embedding_calls": 1}


def test_what_the_cache_answers_whole_is_in_no_roll_up(telemetry: Recorded, model_server: ModelServer) -> None:
    program = Library(dspy.Embedder(f"openai/{MODEL}", api_base=model_server.url, api_key="a-key"), asks=False)
    program(question="Where?")
    program(question="Where?")
    first, second = telemetry.named("invoke_workflow Library")
    assert usage(first)["embedding_calls"] == 1
    assert usage(second) == {}


@pytest.mark.parametrize("threads", [1, 4])
def test_nothing_is_lost_between_threads(
    telemetry: Recorded, lm: dspy.LM, embedder: dspy.Embedder, threads: int
) -> None:
    program = Library(embedder)
    examples = [dspy.Example(question=f"Question {number}?").with_inputs("question") for number in range(12)]
    with usage_scope() as total:
        dspy.Parallel(num_threads=threads, disable_progress_bar=True)([(program, example) for example in examples])
    calls = telemetry.named(NAME)
    assert len(calls) == 12
    found = usage(telemetry.span("Parallel"))
    assert (found["lm_calls"], found["embedding_calls"]) == (12, 12)
    assert found["embedding_tokens"] == total.embedding_tokens == summed(calls, TOKENS)
    assert found["cost"] == pytest.approx(summed([*calls, *telemetry.named(CHAT)], PRICE)) == pytest.approx(total.cost)
    assert total.by_model[MODEL].embedding_calls == 12
    assert total.by_model[MODEL].lm_calls == 0


def test_batches_that_run_side_by_side_in_one_function_are_all_counted(
    telemetry: Recorded, embedder: dspy.Embedder
) -> None:
    """A function that hands its texts to several threads: their replies are its own."""
    together = threading.Barrier(4, timeout=110)

    class Part(dspy.Module):
        def forward(self, text: str) -> Any:
            together.wait()
            return dspy.Prediction(vector=embedder([text])[0])

    def spread(texts: list[str]) -> Any:
        parts = [(Part(), dspy.Example(text=text).with_inputs("text")) for text in texts]
        return [each.vector for each in dspy.Parallel(num_threads=4, disable_progress_bar=True)(parts)]

    with usage_scope() as total:
        dspy.Embedder(spread, caching=False)(["one", "two", "three", "four"])
    [call] = telemetry.named("embeddings spread")
    assert (total.embedding_calls, total.embedding_tokens) == (1, (call.attributes or {})[TOKENS])
    assert total.cost == pytest.approx((call.attributes or {})[PRICE])


def test_an_evaluation_and_its_examples_have_them_too(
    telemetry: Recorded, lm: dspy.LM, embedder: dspy.Embedder
) -> None:
    devset = [dspy.Example(question=f"Question {number}?").with_inputs("question") for number in range(3)]
    dspy.Evaluate(devset=devset, metric=lambda *_: True, num_threads=2)(Library(embedder))
    calls = telemetry.named(NAME)
    examples = [usage(span) for span in telemetry.named("evaluate_example")]
    assert [found["embedding_calls"] for found in examples] == [1, 1, 1]
    found = usage(telemetry.span("evaluate <lambda>"))
    assert (found["embedding_calls"], found["embedding_tokens"]) == (3, summed(calls, TOKENS))


def test_an_optimizer_run_tells_by_role_what_was_embedded(
    telemetry: Recorded, lm: dspy.LM, embedder: dspy.Embedder
) -> None:
    def similar(example: dspy.Example, prediction: Any, trace: Any = None) -> bool:
        embedder([example.answer])
        return True

    trainset = [
        dspy.Example(question=f"Question {number}?", answer="no").with_inputs("question") for number in range(3)
    ]
    dspy.BootstrapFewShot(metric=similar, max_bootstrapped_demos=2).compile(Library(embedder), trainset=trainset)
    calls = telemetry.named(NAME)
    found = usage(telemetry.span("optimize BootstrapFewShot"))
    assert (found["task.embedding_calls"], found["judge.embedding_calls"]) == (2, 2)
    by_role = {
        role: [span for span in calls if (span.attributes or {})["dspy.optimizer.role"] == role]
        for role in ("task", "judge")
    }
    for role, spans in by_role.items():
        assert found[f"{role}.embedding_tokens"] == summed(spans, TOKENS)
    assert found["judge.cost"] == pytest.approx(summed(by_role["judge"], PRICE))
    assert found["judge.lm_calls"] == 0
    assert found["embedding_calls"] == 4
    assert found["embedding_tokens"] == summed(calls, TOKENS)
    assert found["cost"] == pytest.approx(summed([*calls, *telemetry.named(CHAT)], PRICE))


def test_agents_and_attempts_have_what_their_tools_and_rewards_embed(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, embedder: dspy.Embedder
) -> None:
    def look_up(topic: str) -> str:
        """Look something up."""
        embedder([topic])
        return "found"

    tool_call = {"next_thought": "look", "next_tool_name": "look_up", "next_tool_args": {"topic": "lamps"}}
    replies = iter([tool_call, {**tool_call, "next_tool_name": "finish", "next_tool_args": {}}])
    model_server.reply = lambda request: next(replies, None) if "next_tool_name" in str(request.body) else None
    dspy.ReAct("question -> answer", tools=[look_up])(question="Where?")
    assert usage(telemetry.span("invoke_agent ReAct"))["embedding_calls"] == 1

    dspy.BestOfN(
        module=Library(embedder), N=1, reward_fn=lambda *_: float(embedder(["reward"])[0] is not None), threshold=1.0
    )(question="Where?")
    assert usage(telemetry.span("BestOfN"))["embedding_calls"] == 2


def test_a_search_for_neighbours_has_what_it_embeds(telemetry: Recorded, lm: dspy.LM, embedder: dspy.Embedder) -> None:
    trainset = [
        dspy.Example(question=f"Question {number}?", answer="no").with_inputs("question") for number in range(3)
    ]
    program = dspy.KNNFewShot(k=1, trainset=trainset, vectorizer=embedder).compile(dspy.Predict("question -> answer"))
    telemetry.clear()
    program(question="Three?")
    found = usage(telemetry.span("KNN"))
    assert (found["lm_calls"], found["embedding_calls"]) == (0, 1)
    assert found["cost"] == pytest.approx(found["embedding_tokens"] * 0.02 / 1e6)


def test_a_batch_of_several_callers_has_what_it_embeds(telemetry: Recorded, embedder: dspy.Embedder) -> None:
    both = threading.Barrier(2, timeout=110)
    unbatchify = dspy.utils.unbatchify.Unbatchify(
        lambda texts: list(embedder(texts)), max_batch_size=2, max_wait_time=10.0
    )

    class Asking(dspy.Module):
        def forward(self, text: str) -> Any:
            both.wait()
            return dspy.Prediction(vector=unbatchify(text))

    parts = [(Asking(), dspy.Example(text=text).with_inputs("text")) for text in ("one", "two")]
    with usage_scope() as total:
        dspy.Parallel(num_threads=2, disable_progress_bar=True)(parts)
    assert usage(telemetry.span("Unbatchify"))["embedding_calls"] == 1
    assert usage(telemetry.span("Parallel"))["embedding_calls"] == 1
    assert (total.embedding_calls, total.embedding_tokens) == (1, telemetry.attributes(NAME)[TOKENS])


def test_what_an_optimizer_itself_embeds_is_of_its_proposals(telemetry: Recorded, embedder: dspy.Embedder) -> None:
    class Choosing(dspy.teleprompt.Teleprompter):
        def compile(self, student: Any, *, trainset: list[dspy.Example]) -> Any:
            embedder([example.question for example in trainset])
            return student

    trainset = [dspy.Example(question=question).with_inputs("question") for question in ("One?", "Two?")]
    Choosing().compile(dspy.Predict("question -> answer"), trainset=trainset)
    call, found = telemetry.attributes(NAME), usage(telemetry.span("optimize Choosing"))
    assert call["dspy.optimizer.role"] == "proposal"
    assert (found["proposal.embedding_calls"], found["proposal.lm_calls"]) == (1, 0)
    assert found["proposal.embedding_tokens"] == found["embedding_tokens"] == call[TOKENS]
    assert found["proposal.cost"] == found["cost"] == call[PRICE]


def test_what_several_callers_share_is_counted_for_all_of_them(telemetry: Recorded, embedder: dspy.Embedder) -> None:
    search = dspy.retrievers.Embeddings(corpus=["a lamp", "a parcel", "a letter"], embedder=embedder, k=1)
    telemetry.clear()
    with usage_scope() as total:
        search("where is the lamp?")
    [call] = telemetry.named(NAME)
    assert (total.embedding_calls, total.embedding_tokens) == (1, (call.attributes or {})[TOKENS])
    assert total.cost == pytest.approx((call.attributes or {})[PRICE])


def test_spans_that_are_not_sampled_are_counted_all_the_same(
    start_telemetry: StartTelemetry, embedder: dspy.Embedder
) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    with usage_scope() as total:
        Library(embedder, asks=False)(question="Where?")
    assert telemetry.spans == []
    assert (total.embedding_calls, total.embedding_tokens > 0, total.cost > 0) == (1, True, True)


def test_a_total_is_read_while_the_batches_of_a_call_come_in(telemetry: Recorded, model_server: ModelServer) -> None:
    seen: list[Usage] = []
    embedder = dspy.Embedder(f"openai/{MODEL}", api_base=model_server.url, api_key="a-key", caching=False, batch_size=1)
    with usage_scope() as total:

        def answer(request: Any) -> str:
            seen.append(total.total())
            return ""

        model_server.reply = answer
        embedder(["one", "two words", "now three words"])
    first, second, third = (request.usage["prompt_tokens"] for request in model_server.requests if request.usage)
    assert [each.embedding_tokens for each in seen] == [0, first, first + second]
    assert total.embedding_tokens == first + second + third
    assert [each.embedding_calls for each in seen] == [0, 0, 0]


def test_what_it_will_cost_has_embeddings_in_it(telemetry: Recorded, embedder: dspy.Embedder) -> None:
    program: Callable[..., Any] = Library(embedder, asks=False)
    with usage_scope() as total:
        for done in range(1, 4):
            program(question="Where?")
            outlook = total.projected(done, 6)
    assert outlook.spent == total.cost > 0
    assert outlook.cost == pytest.approx(2 * total.cost)
