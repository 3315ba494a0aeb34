"""What is a call to a bound of calls: it is counted from its sending to its end, once, and only where it is sent."""

from __future__ import annotations

import asyncio
import contextvars
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from desk import Desk
from model_server import Failure
from stopped import QUESTIONS, ask, stopped_scope

from opentelemetry.instrumentation.dspy import BudgetExceededError, usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_server import ModelServer
    from recorded import Recorded

pytestmark = [pytest.mark.timeout(60), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

THREADS = 8


def reply() -> Any:
    message = SimpleNamespace(content="[[ ## answer ## ]]\nhere\n\n[[ ## completed ## ]]", tool_calls=None)
    usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    choice = SimpleNamespace(message=message, finish_reason="stop")
    return SimpleNamespace(choices=[choice], usage=usage, model="alone", id="1")


class Alone(dspy.BaseLM):
    """Sends by itself; in threads it waits until all of them have come to it or were refused."""

    def __init__(self, expected: int = 0) -> None:
        super().__init__(model="alone")
        self.asked = 0
        self._expected = expected
        self._lock = threading.Lock()
        self._all_are_there = threading.Event()

    def arrive(self) -> None:
        with self._lock:
            self._expected -= 1
            if self._expected <= 0:
                self._all_are_there.set()

    def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        self.asked += 1
        self.arrive()
        assert self._all_are_there.wait(30)
        return reply()

    async def aforward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        return reply()


def test_one_that_sends_by_itself_is_counted_when_it_begins_in_threads(telemetry: Recorded) -> None:
    language_model = Alone(expected=THREADS)
    dspy.configure(lm=language_model)
    desk = Desk()

    def ask_one() -> None:
        try:
            desk(question="Where?")
        except BaseException:
            language_model.arrive()
            raise

    def ask_in_threads() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            futures = [pool.submit(contextvars.copy_context().run, ask_one) for _ in range(THREADS)]
        for future in futures:
            future.result()

    error, usage = stopped_scope(ask_in_threads, max_calls=3)
    assert (language_model.asked, usage.lm_calls, error.under_way) == (3, 3, 0)


def test_one_that_sends_by_itself_is_counted_when_it_begins_in_tasks(telemetry: Recorded) -> None:
    language_model = Alone()
    dspy.configure(lm=language_model)

    async def ask_all() -> None:
        await asyncio.gather(*(Desk().acall(question=question) for question in QUESTIONS))

    stopped_scope(lambda: asyncio.run(ask_all()), max_calls=3)
    assert language_model.asked == 3


def falling_back(lms: list[dspy.LM], *, by_call: bool) -> dspy.BaseLM:
    """A language model that asks one after the other; a class of its own, of which nothing is known yet."""

    class FallingBack(dspy.BaseLM):
        def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            first, second = lms
            try:
                first.forward(prompt=prompt, messages=messages)
            except Exception:  # noqa: BLE001 - whatever it is, the other one is asked
                return second.forward(prompt=prompt, messages=messages)
            raise AssertionError("the first one answers with a failure")

        def __call__(self, *arguments: Any, **settings: Any) -> Any:
            if not by_call:
                return super().__call__(*arguments, **settings)
            try:
                return lms[0](*arguments, **settings)
            except Exception:  # noqa: BLE001 - as above
                return lms[1](*arguments, **settings)

    return FallingBack(model="falling-back")


def asking_twice(**settings: Any) -> dspy.LM:
    class Twice(dspy.LM):
        def forward(self, *arguments: Any, **settings: Any) -> Any:
            super().forward(*arguments, **settings)
            return super().forward(*arguments, **settings)

    return Twice("openai/gpt-4o-mini", **settings)


@pytest.mark.parametrize("kind", ["fallback", "fallback by call", "twice"])
def test_one_call_is_one_however_many_requests_its_own_code_makes(
    telemetry: Recorded, model_server: ModelServer, kind: str
) -> None:
    settings = {"api_base": model_server.url, "api_key": "test-key", "cache": False}
    model_server.fail_when(lambda request: request.body["model"] == "gpt-4o", Failure(400, "not today"))
    lms = [dspy.LM(f"openai/{model}", num_retries=0, **settings) for model in ("gpt-4o", "gpt-4o-mini")]
    by_call = kind == "fallback by call"
    dspy.configure(lm=asking_twice(**settings) if kind == "twice" else falling_back(lms, by_call=by_call))
    for bound in (3, 2):
        before = len(model_server.requests)
        error, usage = stopped_scope(lambda: ask(Desk()), max_calls=bound)
        assert (error.spent.lm_calls, error.under_way, usage.lm_calls) == (bound, 0, bound)
        assert len(model_server.requests) - before == 2 * bound
        assert f"The budget of {bound} calls (max_calls) is used up" in str(error)
        assert f" on {bound} calls and " in str(error)


def test_one_that_went_to_the_client_before_is_counted_where_it_sends_by_itself(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    class Changing(dspy.LM):
        asked = 0

        def forward(self, prompt: Any = None, messages: Any = None, **settings: Any) -> Any:
            if self.asked == 0:
                self.asked = 1
                return super().forward(prompt, messages, **settings)
            self.asked += 1
            return reply()

    language_model = Changing("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)
    dspy.configure(lm=language_model)
    # A further request through the client meets the bound; what sends by itself only counts.
    with usage_scope(max_calls=2) as usage:
        ask(Desk(), QUESTIONS[:2])
    assert (language_model.asked, usage.lm_calls, usage.exceeded) == (2, 2, None)
    error, _ = stopped_scope(lambda: (ask(Desk(), QUESTIONS[:2]), client(model_server)("Where?")), max_calls=2)
    assert (error.spent.lm_calls, len(model_server.requests)) == (2, 1)


def client(model_server: ModelServer) -> dspy.LM:
    return dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False)


def test_what_the_cache_answered_makes_room_though_its_class_is_not_known_yet(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key")("known")

    class Metered(dspy.LM):
        def forward(self, *arguments: Any, **settings: Any) -> Any:
            return super().forward(*arguments, **settings)

    language_model = Metered("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key")
    with usage_scope(max_calls=1) as usage:
        language_model("known")
        language_model("new")
    assert (usage.cache_hits, usage.lm_calls, len(model_server.requests)) == (1, 2, 2)
    stopped_scope(lambda: [language_model(text) for text in ("known", "newer", "newest")], max_calls=1)
    assert len(model_server.requests) == 3


def of_no_use(language_model: dspy.LM) -> Iterator[Callable[[], object]]:
    yield lambda: language_model("hello", n=0)
    yield lambda: language_model("\ud800")
    yield lambda: asyncio.run(language_model.acall("hello", n=0))


def test_a_call_that_failed_before_it_was_sent_takes_no_place(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    def work() -> None:
        for call in of_no_use(lm):
            with pytest.raises(ValueError, match=r"n must be|Unicode"):
                call()
        ask(Desk())

    error, usage = stopped_scope(work, max_calls=2)
    assert (len(model_server.requests), usage.lm_calls, error.under_way) == (2, 5, 0)


def test_a_call_that_failed_at_the_server_took_one(telemetry: Recorded, model_server: ModelServer) -> None:
    model_server.fail_next(Failure(400, "not today"))
    language_model = client(model_server)

    def work() -> None:
        with pytest.raises(Exception, match="not today"):
            language_model("one")
        for question in QUESTIONS:
            language_model(question)

    error, usage = stopped_scope(work, max_calls=2)
    assert (len(model_server.requests), usage.lm_calls, error.under_way) == (2, 2, 0)


def test_what_is_under_way_is_told(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    came, may_answer = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        came.set()
        assert may_answer.wait(30)

    model_server.reply = wait
    desk = Desk()

    def work() -> None:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(contextvars.copy_context().run, desk, question="one")
            assert came.wait(30)
            try:
                desk(question="two")
            finally:
                may_answer.set()
                first.exception()

    with pytest.raises(BudgetExceededError) as caught, usage_scope(max_calls=1) as usage:
        work()
    # The error is of the moment at which the block ends.
    assert (caught.value.under_way, usage.lm_calls) == (0, 1)
    stop = caught.value.__cause__
    assert "1 call under way may still add to it" in str(stop)


class OwnEmbedder(dspy.Embedder):
    """Overrides the calls, and returns lists."""

    asked = 0

    def __call__(self, inputs: list[str], **settings: Any) -> Any:
        self.asked += 1
        if inputs == ["broken"]:
            raise LookupError("mine")
        return [[1.0] for _ in inputs]

    async def acall(self, inputs: list[str], **settings: Any) -> Any:
        return self(inputs, **settings)


def test_an_embedder_that_overrides_its_call_is_counted_and_stopped(telemetry: Recorded) -> None:
    embedder = OwnEmbedder("mine")
    _, usage = stopped_scope(lambda: [embedder([text]) for text in QUESTIONS], max_calls=2)
    assert (embedder.asked, usage.embedding_calls) == (2, 2)
    stopped_scope(lambda: [asyncio.run(embedder.acall([text])) for text in QUESTIONS], max_calls=3)
    assert embedder.asked == 5


def test_an_embedder_that_goes_on_to_dspys_is_stopped_behind_the_cache(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    class Logged(dspy.Embedder):
        def __call__(self, inputs: list[str], **settings: Any) -> Any:
            return super().__call__(inputs, **settings)

    embedder = Logged("openai/text-embedding-3-small", api_base=model_server.url, api_key="test-key")
    embedder(["known"])
    _, usage = stopped_scope(lambda: [embedder([text]) for text in ("known", "new", "known", "newer")], max_calls=1)
    assert (usage.embedding_calls, len(model_server.requests)) == (1, 2)


def under_way_of_child(connection: Any) -> None:
    with pytest.raises(BudgetExceededError) as caught:
        ask(Desk())
    connection.send((caught.value.under_way, caught.value.spent.lm_calls))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_was_under_way_in_the_process_that_forked_ends_there(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    came, may_answer = threading.Event(), threading.Event()

    def wait_once(_: object) -> None:
        if not came.is_set():
            came.set()
            assert may_answer.wait(30)

    model_server.reply = wait_once
    processes = multiprocessing.get_context("fork")
    here, there = processes.Pipe()
    with ThreadPoolExecutor(1) as pool, usage_scope(max_calls=3):
        first = pool.submit(contextvars.copy_context().run, Desk(), question="one")
        assert came.wait(30)
        child = processes.Process(target=under_way_of_child, args=(there,))
        child.start()
        assert here.poll(30)
        # The copy of the budget has in it that the call was sent.
        assert here.recv() == (0, 2)
        child.join(30)
        may_answer.set()
        first.result()
