"""Workers of the pools of ``multiprocessing``, which wait for ever for one that dies of what is no ``Exception``."""

from __future__ import annotations

import contextvars
import multiprocessing
import os
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from desk import Desk, examples, is_answered
from stopped import QUESTIONS, stopped_scope, wait_for_workers

from opentelemetry.instrumentation.dspy import BudgetExceededError, usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

pytestmark = pytest.mark.timeout(100)

BUDGET = "OTEL_INSTRUMENTATION_DSPY_BUDGET_USD"


def in_thread_pool(work: Callable[[], object], times: int = 6) -> list[Any]:
    contexts = [contextvars.copy_context() for _ in range(times)]
    with ThreadPool(2) as pool:
        return pool.map_async(lambda context: context.run(work), contexts).get(timeout=110)


class Spreading(dspy.Module):  # type: ignore[misc]
    """A program that has a pool of its own inside a call of DSPy."""

    def forward(self, question: str) -> Any:
        return in_thread_pool(lambda: Desk()(question=question))


@pytest.mark.parametrize("inside_a_call", [False, True])
def test_a_thread_pool_that_carries_the_context_is_not_left_to_wait(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, *, inside_a_call: bool
) -> None:
    def work() -> object:
        return Spreading()(question="one") if inside_a_call else in_thread_pool(lambda: Desk()(question="one"))

    error, _ = stopped_scope(work, max_calls=2)
    assert (error.bound, len(model_server.requests)) == ("max_calls", 2)


def test_an_evaluation_in_a_thread_pool_ends_at_once(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    many = examples(*(f"{number}?" for number in range(200)))
    evaluate = dspy.Evaluate(devset=many, metric=is_answered, num_threads=2, max_errors=1000)
    stopped_scope(lambda: in_thread_pool(lambda: evaluate(Desk()), times=1), max_calls=4)
    wait_for_workers()
    assert len(model_server.requests) == 4
    [span] = telemetry.named("evaluate is_answered")
    assert (span.attributes or {})["error.type"] == "opentelemetry.instrumentation.dspy.BudgetStop"


def test_a_block_inside_of_a_worker_ends_there(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    survived: list[Exception] = []

    def work() -> None:
        with usage_scope(max_calls=2):
            try:
                dspy.Evaluate(devset=examples(*QUESTIONS), metric=is_answered, num_threads=1)(Desk())
            except Exception as error:  # noqa: BLE001 - there is to be none inside the block
                survived.append(error)

    with pytest.raises(BudgetExceededError):
        in_thread_pool(work, times=2)
    assert (survived, len(model_server.requests)) == ([], 4)


@pytest.mark.complaints
@pytest.mark.parametrize(("inside_a_call", "dollars"), [(False, "0.00003"), (True, "0.000032")])
def test_the_budget_of_the_process_ends_in_a_worker_too(
    monkeypatch: pytest.MonkeyPatch,
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    dollars: str,
    *,
    inside_a_call: bool,
) -> None:
    monkeypatch.setenv(BUDGET, dollars)
    start_telemetry()
    with pytest.raises(BudgetExceededError):
        Spreading()(question="one") if inside_a_call else in_thread_pool(lambda: Desk()(question="one"))
    assert 1 < len(model_server.requests) < 6


def answer(question: str) -> str:
    return str(Desk()(question=question).answer)


class Forking(dspy.Module):  # type: ignore[misc]
    """A program that forks workers inside a call of DSPy."""

    def forward(self, question: str) -> Any:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            return pool.map_async(answer, [question] * 6, chunksize=1).get(timeout=110)


@pytest.mark.complaints
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_budget_of_the_process_ends_in_a_worker_that_was_forked_inside_a_call(
    monkeypatch: pytest.MonkeyPatch, start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    monkeypatch.setenv(BUDGET, "0.000031")
    start_telemetry()
    with pytest.raises(BudgetExceededError):
        Forking()(question="one")
    assert 1 < len(model_server.requests) < 6
