"""What is recorded of a call goes when nobody needs it any longer: it does not wait for the garbage collector.

A collection walks all objects of a process, and DSPy's are many. Until then spans that were exported would stay.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from agent_replies import step
from desk import Desk, is_answered
from opentelemetry.sdk.trace import ReadableSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_server import ModelServer
    from recorded import Recorded

OURS = "opentelemetry.instrumentation.dspy"


def run(desk: Desk) -> None:
    desk(question="Where?")


def run_async(desk: Desk) -> None:
    asyncio.run(desk.acall(question="Where?"))


def run_agent(_: Desk) -> None:
    dspy.ReAct("question -> answer", tools=[lambda topic: topic], max_iters=1)(question="Where?")


def run_attempts(_: Desk) -> None:
    dspy.BestOfN(dspy.Predict("question -> answer"), N=2, reward_fn=lambda *_: 0.5, threshold=1.0)(question="Where?")


def run_bare_model(_: Desk) -> None:
    dspy.settings.lm("Where?")


def run_embedder(_: Desk) -> None:
    dspy.Embedder(lambda texts: [[1.0] for _ in texts])(["Where?"])


def run_evaluation(desk: Desk) -> None:
    example = dspy.Example(question="Where?", answer="here").with_inputs("question")
    dspy.Evaluate(devset=[example], metric=is_answered, num_threads=1, display_progress=False)(desk)


@pytest.fixture
def saved_garbage() -> Iterator[Callable[[], list[Any]]]:
    """Return what gives the objects that only the garbage collector found."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)

    def collected() -> list[Any]:
        gc.collect()
        return gc.garbage

    try:
        yield collected
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    "program", [run, run_async, run_agent, run_attempts, run_bare_model, run_embedder, run_evaluation]
)
def test_nothing_of_a_call_is_left_to_the_garbage_collector(
    telemetry: Recorded,
    lm: dspy.LM,
    model_server: ModelServer,
    saved_garbage: Callable[[], list[Any]],
    program: Callable[[Desk], None],
) -> None:
    model_server.reply = lambda request: (
        step("finish") if "next_tool_name" in [field.name for field in request.prompt.fields] else None
    )
    desk = Desk()
    program(desk)  # what is made once, at the first call, may refer to itself
    saved_garbage()
    gc.garbage.clear()
    program(desk)
    left = Counter(
        f"{type(each).__module__}.{type(each).__qualname__}"
        for each in saved_garbage()
        if type(each).__module__.startswith(OURS) or isinstance(each, ReadableSpan)
    )
    assert telemetry.spans
    assert left == Counter()
