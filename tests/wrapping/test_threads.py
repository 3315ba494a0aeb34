"""One call of the application is one trace, whatever threads, tasks and event loops DSPy runs it in."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from desk import DESK, Desk, below, examples, is_answered, traces
from dspy.teleprompt import avatar_optimizer
from dspy.utils import parallelizer
from opentelemetry.instrumentation.utils import suppress_instrumentation
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.wrapping.threads import ContextThreadPoolExecutor, ItemThreadPoolExecutor

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from recorded import Recorded

QUESTIONS = ["Where?", "When?", "Who?"]


@pytest.mark.parametrize("threads", [1, 3])
def test_parallel_is_one_tree_with_any_number_of_threads(telemetry: Recorded, lm: dspy.LM, threads: int) -> None:
    desk = Desk()
    parallel = dspy.Parallel(num_threads=threads, disable_progress_bar=True)
    results = parallel([(desk, example) for example in examples(*QUESTIONS)])
    assert len(results) == 3
    assert telemetry.tree() == below("Parallel", DESK, DESK, DESK)
    assert len(traces(telemetry.spans)) == 1


def test_each_thread_does_the_work_of_several_items_under_the_same_parent(telemetry: Recorded, lm: dspy.LM) -> None:
    Desk().batch(examples(*QUESTIONS * 4), num_threads=2, disable_progress_bar=True)
    assert telemetry.tree() == below("Parallel", *[DESK] * 12)
    assert len(traces(telemetry.spans)) == 1


def test_a_program_that_runs_a_batch_inside_is_one_tree_with_its_paths(telemetry: Recorded, lm: dspy.LM) -> None:
    class Office(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.desk = Desk()

        def forward(self, questions: list[str]) -> list[dspy.Prediction]:
            return self.desk.batch(examples(*questions), num_threads=2, disable_progress_bar=True)

    Office()(questions=QUESTIONS)
    assert telemetry.tree() == below("invoke_workflow Office", below("Parallel", DESK, DESK, DESK))
    assert len(traces(telemetry.spans)) == 1
    assert {attributes_of(span)["dspy.module.path"] for span in telemetry.named("Predict answer")} == {"desk.answer"}
    assert telemetry.attributes("invoke_workflow Office")["dspy.usage.lm_calls"] == 3
    assert telemetry.attributes("Parallel")["dspy.usage.lm_calls"] == 3


def test_an_evaluation_is_one_trace(telemetry: Recorded, lm: dspy.LM) -> None:
    evaluate = dspy.Evaluate(devset=examples(*QUESTIONS), metric=is_answered, num_threads=3, display_progress=False)
    evaluate(Desk())
    assert telemetry.tree() == below("evaluate is_answered", *[below("evaluate_example", DESK)] * 3)
    assert len(traces(telemetry.spans)) == 1


def test_the_pool_of_the_avatar_optimizer_is_part_of_the_trace(telemetry: Recorded, lm: dspy.LM) -> None:
    # Its constructor asks for a predictor that DSPy has had no more since 2.6; what runs the examples does not.
    optimizer = object.__new__(dspy.AvatarOptimizer)
    optimizer.metric = is_answered
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("tune"):
        optimizer.thread_safe_evaluator(examples(*QUESTIONS), Desk(), num_threads=3)
    assert len(traces(telemetry.spans)) == 1
    assert len(telemetry.named("invoke_workflow Desk")) == 3


async def test_asyncify_is_one_tree(telemetry: Recorded, lm: dspy.LM) -> None:
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("request"):
        await dspy.asyncify(Desk())(question="Where?")
    assert telemetry.tree() == below("request", DESK)


needs_syncify = pytest.mark.skipif(not hasattr(dspy, "syncify"), reason="DSPy has syncify since 3.0")


@needs_syncify
def test_syncify_in_place_is_one_tree(telemetry: Recorded, lm: dspy.LM) -> None:
    dspy.syncify(Desk())(question="Where?")
    assert telemetry.tree() == DESK


@needs_syncify
def test_syncify_with_a_wrapper_is_one_tree_of_both(telemetry: Recorded, lm: dspy.LM) -> None:
    dspy.syncify(Desk(), in_place=False)(question="Where?")
    # The wrapper calls aforward, not the module.
    assert telemetry.tree() == below("SyncWrapper", DESK)


async def test_gathered_tasks_are_one_tree(telemetry: Recorded, lm: dspy.LM) -> None:
    desk = Desk()
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("request"):
        await asyncio.gather(*(desk.acall(question=question) for question in QUESTIONS))
    assert telemetry.tree() == below("request", DESK, DESK, DESK)


async def test_an_asynchronous_stream_is_one_tree(telemetry: Recorded, lm: dspy.LM) -> None:
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("request"):
        async for _ in dspy.streamify(Desk())(question="Where?"):
            pass
    assert telemetry.tree() == below("request", DESK)


async def test_a_stream_of_an_asynchronous_program_is_one_tree(telemetry: Recorded, lm: dspy.LM) -> None:
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("request"):
        async for _ in dspy.streamify(Desk(), is_async_program=True)(question="Where?"):
            pass
    assert telemetry.tree() == below("request", DESK)


def test_a_synchronous_stream_is_one_tree(telemetry: Recorded, lm: dspy.LM) -> None:
    with telemetry.tracer_provider.get_tracer("app").start_as_current_span("request"):
        for _ in dspy.streamify(Desk(), async_streaming=False)(question="Where?"):
            pass
    assert telemetry.tree() == below("request", DESK)


def test_only_the_opentelemetry_context_goes_along(telemetry: Recorded) -> None:
    """DSPy's pools carry DSPy's settings and nothing else of the application's context variables."""
    seen = seen_by_workers()
    DSPyInstrumentor().uninstrument()
    assert seen == seen_by_workers() == [("here", "nothing")] * 3


def seen_by_workers() -> list[tuple[str, str]]:
    variable = ContextVar("variable", default="nothing")
    variable.set("something")

    def look(number: int) -> tuple[str, str]:
        return dspy.settings.get("place", "lost"), variable.get()

    class Look(dspy.Module):
        def forward(self, number: int) -> tuple[str, str]:
            return look(number)

    with dspy.context(place="here"):
        parallel = dspy.Parallel(num_threads=2, disable_progress_bar=True)
        return list(parallel([(Look(), {"number": number}) for number in range(3)]))


def test_settings_that_a_worker_overrides_stay_its_own(telemetry: Recorded) -> None:
    class Override(dspy.Module):
        def forward(self, number: int) -> Any:
            before = dspy.settings.get("place")
            with dspy.context(place=number):
                return before, dspy.settings.place

    with dspy.context(place="here"):
        parallel = dspy.Parallel(num_threads=1, disable_progress_bar=True)
        results = parallel([(Override(), {"number": number}) for number in range(3)])
        assert dspy.settings.place == "here"
    assert results == [("here", 0), ("here", 1), ("here", 2)]


def test_suppression_goes_along(telemetry: Recorded, lm: dspy.LM) -> None:
    with suppress_instrumentation():
        Desk().batch(examples(*QUESTIONS), num_threads=3, disable_progress_bar=True)
    assert telemetry.spans == []


def test_the_names_of_dspys_pools_are_put_back(start_telemetry: StartTelemetry) -> None:
    start_telemetry()
    assert parallelizer.ThreadPoolExecutor is ItemThreadPoolExecutor
    assert avatar_optimizer.ThreadPoolExecutor is ContextThreadPoolExecutor
    DSPyInstrumentor().uninstrument()
    assert parallelizer.ThreadPoolExecutor is ThreadPoolExecutor
    assert avatar_optimizer.ThreadPoolExecutor is ThreadPoolExecutor


def test_nothing_outside_of_dspy_is_replaced(start_telemetry: StartTelemetry) -> None:
    standard = [(owner, dict(vars(owner))) for owner in (ThreadPoolExecutor, threading, threading.Thread, asyncio)]
    start_telemetry()
    assert [dict(vars(owner)) for owner, _ in standard] == [contents for _, contents in standard]


def test_a_name_that_somebody_else_replaced_is_left_alone(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Theirs(ThreadPoolExecutor):
        pass

    monkeypatch.setattr(parallelizer, "ThreadPoolExecutor", Theirs)
    start_telemetry()
    assert parallelizer.ThreadPoolExecutor is Theirs
    DSPyInstrumentor().uninstrument()
    assert parallelizer.ThreadPoolExecutor is Theirs
