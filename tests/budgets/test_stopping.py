"""A bound that is reached stops whatever runs inside, and nothing more reaches the model server."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from desk import Desk, examples, is_answered
from recorded import attributes_of
from stopped import QUESTIONS, ask, stopped, stopped_scope, wait_for_workers

from opentelemetry.instrumentation.dspy import BudgetExceededError, BudgetStop, DSPyInstrumentor, usage_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

    from opentelemetry.instrumentation.dspy import UsageScope

THREADS = 8

pytestmark = pytest.mark.timeout(110)


def test_the_call_behind_the_bound_is_not_sent_and_the_block_ends_with_an_ordinary_error(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    error, usage = stopped_scope(lambda: ask(Desk()), max_calls=3)
    assert len(model_server.requests) == 3
    assert isinstance(error, Exception)
    assert (error.bound, error.limit, error.under_way, error.best_program) == ("max_calls", 3, 0, None)
    assert error.spent == usage.total() == error.by_model["gpt-4o-mini"]
    assert error.spent.lm_calls == 3
    assert usage.exceeded == "max_calls"
    tokens = sum(request.usage["total_tokens"] for request in model_server.requests if request.usage)
    assert str(error).startswith(
        "The budget of 3 calls (max_calls) is used up, so no further call was sent. Spent: $0.0000"
    )
    assert f" on 3 calls and {tokens} tokens (gpt-4o-mini $0.0000" in str(error)
    assert isinstance(error.__cause__, BudgetStop)


def test_the_spans_of_what_was_stopped_say_so_and_nothing_is_counted_for_it(telemetry: Recorded, lm: dspy.LM) -> None:
    stopped(lambda: ask(Desk()), max_calls=1)
    first, second = telemetry.named("invoke_workflow Desk")
    assert "dspy.budget.exceeded" not in attributes_of(first)
    told = attributes_of(second)
    assert told["dspy.budget.exceeded"] == "max_calls"
    assert told["error.type"] == "opentelemetry.instrumentation.dspy.BudgetStop"
    assert "dspy.usage.lm_calls" not in told
    assert second.status.description is not None
    assert second.status.description.startswith("The budget of 1 call (max_calls) is used up")
    [point] = telemetry.metric_points("dspy.budget.exceeded")
    assert (point.value, dict(point.attributes or {})) == (1, {"dspy.budget.bound": "max_calls"})
    requests = telemetry.metric_points("dspy.cache.requests")
    assert sum(point.value for point in requests) == 1


def test_a_bound_in_dollars_and_one_in_tokens_end_behind_the_call_that_reaches_them(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    with usage_scope() as one:
        Desk()(question=QUESTIONS[0])
    for bounds in ({"max_cost": 2.5 * one.cost}, {"max_tokens": int(2.5 * (one.input_tokens + one.output_tokens))}):
        before = len(model_server.requests)
        error = stopped(lambda: ask(Desk(), [QUESTIONS[0]] * 9), **bounds)
        assert len(model_server.requests) - before == 3
        assert error.bound in bounds


def test_what_the_cache_answers_goes_on_behind_the_bound(
    telemetry: Recorded, cached_lm: dspy.LM, model_server: ModelServer
) -> None:
    desk = Desk()
    desk(question="known")
    _, usage = stopped_scope(lambda: ask(desk, ["new", *["known"] * 5, "newer"]), max_calls=1)
    assert (usage.cache_hits, usage.exceeded) == (5, "max_calls")
    assert len(model_server.requests) == 2


def test_a_bound_of_nothing_lets_the_cache_alone_answer(
    telemetry: Recorded, cached_lm: dspy.LM, model_server: ModelServer
) -> None:
    asyncio.run(Desk().acall(question="known"))
    with usage_scope(max_calls=0) as usage:
        asyncio.run(Desk().acall(question="known"))
    assert (usage.cache_hits, len(model_server.requests)) == (1, 1)
    stopped(lambda: asyncio.run(Desk().acall(question="unknown")), max_cost=0)
    assert len(model_server.requests) == 1


@pytest.mark.parametrize("threads", [1, THREADS])
def test_an_evaluation_ends_at_once_and_sends_no_more_than_the_bound(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, threads: int
) -> None:
    many = examples(*(f"{number}?" for number in range(400)))
    evaluate = dspy.Evaluate(devset=many, metric=is_answered, num_threads=threads)
    error = stopped(lambda: evaluate(Desk()), max_calls=10)
    wait_for_workers()
    assert len(model_server.requests) == 10
    assert error.bound == "max_calls"
    span = telemetry.attributes("evaluate is_answered")
    assert span["dspy.budget.exceeded"] == "max_calls"
    assert span["error.type"] == "opentelemetry.instrumentation.dspy.BudgetStop"
    # What waited for a thread was taken back, as soon as the evaluation's own thread had its turn.
    refused = [item for item in telemetry.named("evaluate_example") if "error.type" in attributes_of(item)]
    assert len(refused) <= (3 if threads == 1 else len(many) / 2)


def test_what_is_spent_beyond_a_bound_in_dollars_is_what_was_under_way(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    with usage_scope() as one:
        Desk()(question=QUESTIONS[0])
    dearest = 2 * one.cost
    bound = 10 * one.cost
    evaluate = dspy.Evaluate(devset=examples(*QUESTIONS), metric=is_answered, num_threads=THREADS)
    _, usage = stopped_scope(lambda: evaluate(Desk()), max_cost=bound)
    wait_for_workers()
    assert bound <= usage.cost <= bound + (THREADS - 1) * dearest
    assert usage.lm_calls == len(model_server.requests) - 1


def test_threads_of_the_application_that_carry_its_context_are_stopped(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    desk = Desk()

    def ask_in_threads() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            futures = [pool.submit(contextvars.copy_context().run, ask, desk, [each]) for each in QUESTIONS]
        for future in futures:
            future.result()

    stopped(ask_in_threads, max_calls=6)
    assert len(model_server.requests) == 6


def test_tasks_are_stopped_and_the_loop_goes_on(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    desk = Desk()

    async def ask_all() -> str:
        with pytest.raises(BudgetExceededError), usage_scope(max_calls=5):
            await asyncio.gather(*(desk.acall(question=question) for question in QUESTIONS))
        await asyncio.sleep(0)
        prediction = await desk.acall(question="outside")
        return str(prediction.answer)

    assert asyncio.run(ask_all())
    assert len(model_server.requests) == 6


def test_tasks_whose_errors_are_gathered_are_stopped_each_for_itself(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()

    async def ask_all() -> list[Any]:
        with usage_scope(max_calls=5) as usage:
            found = await asyncio.gather(*(desk.acall(question=each) for each in QUESTIONS), return_exceptions=True)
        assert usage.exceeded == "max_calls"
        return found

    found = asyncio.run(ask_all())
    assert sum(isinstance(each, BudgetStop) for each in found) == len(QUESTIONS) - 5
    assert len(model_server.requests) == 5
    [warning] = [record.getMessage() for record in caplog.records if "budgets" in record.name]
    assert warning.startswith("A usage_scope came to its end although calls in it were not sent")
    caplog.clear()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio has task groups since Python 3.11")
def test_a_task_group_hands_out_one_ordinary_error(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    desk = Desk()

    async def ask_all() -> None:
        with usage_scope(max_calls=2):
            async with asyncio.TaskGroup() as group:
                for question in QUESTIONS[:4]:
                    group.create_task(desk.acall(question=question))

    with pytest.raises(BudgetExceededError):
        asyncio.run(ask_all())
    # The group cancels the two that were let through.
    assert len(model_server.requests) <= 2


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are there since Python 3.11")
def test_a_group_with_other_errors_stays_a_group_with_the_ordinary_error_in_it(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    def fail_twice() -> None:
        try:
            Desk()(question="one")
        except BudgetStop as stop:
            parts = [stop, BaseExceptionGroup("inner", [LookupError("mine")])]  # noqa: F821
            raise BaseExceptionGroup("both", parts) from None  # noqa: F821

    with pytest.raises(ExceptionGroup) as caught, usage_scope(max_calls=0):  # noqa: F821
        fail_twice()
    stop, inner = caught.value.exceptions
    assert isinstance(stop, BudgetExceededError)
    assert isinstance(inner.exceptions[0], LookupError)


def test_of_nested_bounds_the_inner_one_ends_its_own_block_and_the_outer_one_goes_through_it(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    inner: list[tuple[BudgetExceededError, UsageScope]] = []

    def ask_in_blocks() -> None:
        inner.extend(stopped_scope(lambda: ask(Desk()), max_calls=2) for _ in range(2))
        with usage_scope(max_calls=2) as cut:
            inner.append((inner[0][0], cut))
            ask(Desk())

    error, outer = stopped_scope(ask_in_blocks, max_calls=5)
    assert [(each.limit, each.spent.lm_calls) for each, _ in inner[:2]] == [(2, 2), (2, 2)]
    assert (error.limit, error.spent.lm_calls, outer.exceeded) == (5, 5, "max_calls")
    assert [(usage.lm_calls, usage.exceeded) for _, usage in inner] == [
        (2, "max_calls"),
        (2, "max_calls"),
        (1, "max_calls"),
    ]
    assert len(model_server.requests) == 5


def test_a_block_that_survives_the_bound_around_it_names_that_one(
    telemetry: Recorded, lm: dspy.LM, caplog: pytest.LogCaptureFixture
) -> None:
    def survive() -> None:
        with usage_scope(max_cost=5.0) as inner, contextlib.suppress(BudgetStop):
            ask(Desk())
        assert (inner.exceeded, inner.lm_calls) == ("max_calls", 2)
        Desk()(question="one more")

    stopped(survive, max_calls=2)
    [warning] = [record.getMessage() for record in caplog.records if "budgets" in record.name]
    assert "what it has may be unfinished. The budget of 2 calls (max_calls) is used up" in warning
    caplog.clear()


def test_two_blocks_in_threads_side_by_side_do_not_meet(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    start = threading.Barrier(2)

    def spend(bound: int) -> BudgetExceededError:
        start.wait()
        return stopped(lambda: ask(Desk()), max_calls=bound)

    with ThreadPoolExecutor(2) as pool:
        small, large = pool.map(spend, [4, 11])
    assert (small.spent.lm_calls, large.spent.lm_calls) == (4, 11)
    assert len(model_server.requests) == 15


def test_a_tool_that_asks_a_model_does_not_hand_the_stop_to_its_agent(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    def look_up(topic: str) -> str:
        """Look something up."""
        return str(Desk()(question=topic).answer)

    stopped(lambda: dspy.ReAct("question -> answer", tools=[look_up])(question="Where?"), max_calls=1)
    assert len(model_server.requests) == 1
    assert attributes_of(telemetry.span("execute_tool look_up"))["error.type"].endswith("BudgetStop")


def test_code_that_an_agent_runs_asks_no_further(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    interpreter = pytest.importorskip("dspy.primitives.local_interpreter")
    code = "print(llm_query_batched(['a', 'b', 'c', 'd']))"
    model_server.reply = lambda request: {"reasoning": "Ask.", "code": code} if request.prompt.fields else None
    agent = dspy.RLM("question -> answer", interpreter_factory=interpreter.LocalInterpreter)
    stopped(lambda: agent(question="Where?"), max_calls=3)
    wait_for_workers()
    assert len(model_server.requests) == 3


def test_attempts_and_parallel_calls_are_stopped(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    never = dspy.BestOfN(dspy.Predict("question -> answer"), N=9, reward_fn=lambda *_: 0.0, threshold=1.0)
    stopped(lambda: never(question="Where?"), max_calls=2)
    assert len(model_server.requests) == 2
    desk = Desk()
    pairs = [(desk, example) for example in examples(*QUESTIONS)]
    stopped(lambda: dspy.Parallel(num_threads=4)(pairs), max_calls=4)
    wait_for_workers()
    assert len(model_server.requests) == 6


def test_streams_are_stopped_before_they_begin(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    async def stream() -> list[Any]:
        with usage_scope(max_calls=1):
            seen = []
            for question in ("one", "two"):
                streamed = dspy.streamify(Desk(), is_async_program=True)
                seen += [chunk async for chunk in streamed(question=question)]
        return seen

    with pytest.raises(BudgetExceededError):
        asyncio.run(stream())
    assert len(model_server.requests) == 1
    streamed = dspy.streamify(Desk(), async_streaming=False)
    stopped(lambda: [list(streamed(question=question)) for question in ("one", "two")], max_calls=1)
    assert len(model_server.requests) == 2


def test_a_program_in_a_thread_of_asyncify_is_stopped(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    async def ask() -> None:
        with usage_scope(max_calls=2):
            await asyncio.gather(*(dspy.asyncify(Desk())(question=question) for question in QUESTIONS[:6]))

    with pytest.raises(BudgetExceededError):
        asyncio.run(ask())
    wait_for_workers()
    assert len(model_server.requests) == 2


def test_embedders_are_stopped_and_what_their_cache_answers_is_not(
    telemetry: Recorded, model_server: ModelServer
) -> None:
    embedder = dspy.Embedder("openai/text-embedding-3-small", api_base=model_server.url, api_key="test-key")
    embedder(["known"])
    stopped(lambda: [embedder([text]) for text in ("new", "known", "newer")], max_calls=1)
    assert len(model_server.requests) == 2
    stopped(lambda: asyncio.run(embedder.acall(["newest"])), max_calls=0)
    assert len(model_server.requests) == 2


def test_callers_that_one_thread_serves_are_not_left_to_wait(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    desk = Desk()
    unbatchify = dspy.utils.unbatchify.Unbatchify(lambda batch: [desk(question=each) for each in batch])
    stopped(lambda: [unbatchify(question) for question in QUESTIONS], max_calls=2)
    assert len(model_server.requests) == 2
    assert unbatchify("outside")

    class Batched(dspy.Module):  # type: ignore[misc]
        def forward(self, question: str) -> dspy.Prediction:
            return unbatchify(question)

    # An evaluation would survive what the thread hands out, and go on with each of its examples.
    evaluate = dspy.Evaluate(devset=examples(*QUESTIONS), metric=is_answered, num_threads=1, max_errors=1000)
    stopped(lambda: evaluate(Batched()), max_calls=2)
    assert len(model_server.requests) == 5
    unbatchify.close()


def test_a_generator_that_holds_the_block_ends_with_it(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    def answers() -> Iterator[str]:
        with usage_scope(max_calls=2):
            for question in QUESTIONS:
                yield str(Desk()(question=question).answer)

    seen = []
    with pytest.raises(BudgetExceededError):
        seen.extend(answers())
    assert len(model_server.requests) == 2


def test_what_goes_on_behind_the_block_keeps_its_bound_and_ends_with_an_ordinary_error(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    desk = Desk()

    async def ask() -> None:
        begun = asyncio.Event()

        async def later() -> None:
            await begun.wait()
            await desk.acall(question="late")

        with usage_scope(max_calls=1):
            task = asyncio.ensure_future(later())
            await desk.acall(question="one")
        begun.set()
        with pytest.raises(BudgetExceededError):
            await task

    asyncio.run(ask())
    assert len(model_server.requests) == 1


def test_both_exceptions_go_to_other_processes(telemetry: Recorded, lm: dspy.LM) -> None:
    ordinary = stopped(lambda: ask(Desk()), max_calls=1)
    for error in (ordinary, ordinary.__cause__):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.spent) == (BudgetExceededError, str(error), ordinary.spent)


def test_bounds_without_instrumentation_are_an_error_and_a_count_is_none(lm: dspy.LM) -> None:
    with pytest.raises(RuntimeError, match="DSPy is not instrumented"), usage_scope(max_cost=1.0):
        Desk()(question="never")
    with usage_scope() as usage:
        Desk()(question="one")
    assert usage.lm_calls == 0


def test_after_the_instrumentation_is_taken_out_nothing_is_stopped(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    start_telemetry()
    with usage_scope(max_calls=0):
        DSPyInstrumentor().uninstrument()
        Desk()(question="one")
    assert len(model_server.requests) == 1
