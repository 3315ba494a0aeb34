"""A bound stops what runs inside, on every DSPy: behind the cache, in every way to ask, in threads and in tasks."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import RESPONSES

from opentelemetry.instrumentation.dspy import BudgetExceededError, usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import MakeLM
    from model_server import ModelServer
    from recorded import Recorded

pytestmark = [pytest.mark.timeout(110), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

QUESTIONS = [f"Question {number}?" for number in range(20)]


def stopped(work: Callable[[], object], **bounds: Any) -> BudgetExceededError:
    """Return the error of a block that a bound has ended, once the threads that DSPy leaves behind have ended too."""
    with pytest.raises(BudgetExceededError) as caught, usage_scope(**bounds):
        work()
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join(timeout=110)
    return caught.value


@pytest.mark.parametrize("kind", ["chat", "text", "responses"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_call_behind_the_bound_is_not_sent_and_the_cache_goes_on(
    telemetry: Recorded, make_lm: MakeLM, model_server: ModelServer, kind: str, asynchronous: bool
) -> None:
    if kind == "responses" and RESPONSES.is_missing():
        pytest.skip(RESPONSES.otherwise)
    language_model = make_lm(model_type=kind, cache=True)

    def ask_all() -> None:
        for question in ("one", "two", "one", "two", "three"):
            if asynchronous:
                asyncio.run(language_model.acall(question))
            else:
                language_model(question)

    spent = stopped(ask_all, max_calls=2).spent
    assert (len(model_server.requests), spent.lm_calls, spent.cache_hits) == (2, 4, 2)


@pytest.mark.parametrize("threads", [1, 4])
def test_an_evaluation_ends_at_the_bound(
    telemetry: Recorded, make_lm: MakeLM, model_server: ModelServer, threads: int
) -> None:
    make_lm()
    devset = [dspy.Example(question=question).with_inputs("question") for question in QUESTIONS]
    evaluate = dspy.Evaluate(devset=devset, metric=lambda *_: True, num_threads=threads)
    stopped(lambda: evaluate(dspy.Predict("question -> answer")), max_calls=6)
    assert len(model_server.requests) == 6
    assert telemetry.attributes("evaluate <lambda>")["dspy.budget.exceeded"] == "max_calls"


def test_an_optimizer_ends_at_the_bound_with_the_best_that_it_has(
    telemetry: Recorded, make_lm: MakeLM, model_server: ModelServer
) -> None:
    make_lm()
    devset = [dspy.Example(question=question, answer="no").with_inputs("question") for question in QUESTIONS]
    optimizer = dspy.BootstrapFewShotWithRandomSearch(metric=lambda *_: True, num_candidate_programs=1, num_threads=2)
    error = stopped(lambda: optimizer.compile(dspy.Predict("question -> answer"), trainset=devset), max_calls=30)
    assert isinstance(error.best_program, dspy.Predict)
    assert len(model_server.requests) == 30


def test_streams_and_tools_are_stopped(telemetry: Recorded, make_lm: MakeLM, model_server: ModelServer) -> None:
    make_lm()
    answer = dspy.Predict("question -> answer")

    async def stream() -> None:
        for question in QUESTIONS:
            async for _ in dspy.streamify(answer)(question=question):
                pass

    stopped(lambda: asyncio.run(stream()), max_calls=2)
    assert len(model_server.requests) == 2

    def look_up(topic: str) -> str:
        """Look something up."""
        return str(answer(question=topic).answer)

    stopped(lambda: dspy.ReAct("question -> answer", tools=[look_up])(question="Where?"), max_calls=1)
    assert len(model_server.requests) == 3


def test_embedders_are_stopped_behind_their_cache(telemetry: Recorded, model_server: ModelServer) -> None:
    embedder = dspy.Embedder("openai/text-embedding-3-small", api_base=model_server.url, api_key="test-key")
    stopped(lambda: [embedder([text]) for text in ("one", "two", "one", "three")], max_calls=2)
    assert len(model_server.requests) == 2


class Alone(dspy.BaseLM):
    """Sends by itself, whatever that is here."""

    def __init__(self) -> None:
        super().__init__(model="alone")
        self.asked = 0

    def __call__(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        self.asked += 1
        return ["[[ ## answer ## ]]\nhere\n\n[[ ## completed ## ]]"]

    async def acall(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        await asyncio.sleep(0)
        return self(prompt, messages, **settings)


def test_one_that_sends_by_itself_is_counted_when_it_begins(telemetry: Recorded) -> None:
    language_model = Alone()

    async def ask_all() -> None:
        await asyncio.gather(*(language_model.acall(question) for question in QUESTIONS))

    error = stopped(lambda: asyncio.run(ask_all()), max_calls=3)
    assert (language_model.asked, error.bound) == (3, "max_calls")


def test_one_call_is_one_however_many_requests_its_own_code_makes(
    telemetry: Recorded, make_lm: MakeLM, model_server: ModelServer
) -> None:
    class Twice(dspy.LM):  # type: ignore[misc]
        def forward(self, *arguments: Any, **settings: Any) -> Any:
            super().forward(*arguments, **settings)
            return super().forward(*arguments, **settings)

    plain = make_lm()
    language_model = Twice(plain.model, **plain.kwargs, cache=False)
    error = stopped(lambda: [language_model(question) for question in QUESTIONS], max_calls=2)
    assert (error.spent.lm_calls, error.under_way, len(model_server.requests)) == (2, 0, 4)


def test_an_embedder_that_overrides_its_call_is_stopped(telemetry: Recorded) -> None:
    class Own(dspy.Embedder):  # type: ignore[misc]
        asked = 0

        def __call__(self, inputs: Any, **settings: Any) -> Any:
            self.asked += 1
            return [[1.0] for _ in inputs]

    embedder = Own("mine")
    error = stopped(lambda: [embedder([question]) for question in QUESTIONS], max_calls=2)
    assert (embedder.asked, error.spent.embedding_calls, error.under_way) == (2, 2, 0)
