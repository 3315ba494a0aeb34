"""One call is one span, whichever door it came in by: the call operator, ``acall``, ``forward`` or ``aforward``."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from recorded import attributes_of

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

DOORS = ["__call__", "acall", "forward", "aforward"]


class Desk(dspy.Module):
    """A program that goes through the lower door of what it uses."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer.forward(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.answer.aforward(question=question)


class PoliteDesk(Desk):
    """Overrides both, and goes on to those of the base class."""

    def forward(self, question: str) -> Any:
        return super().forward(f"Please: {question}")

    async def aforward(self, question: str) -> Any:
        return await super().aforward(f"Please: {question}")


class Countdown(dspy.Module):
    """Calls itself until nothing is left."""

    def forward(self, left: int) -> int:
        return left and self.forward(left - 1)

    async def aforward(self, left: int) -> int:
        return left and await self.aforward(left - 1)


class Steps(Countdown):
    """The same through the call operator."""

    def forward(self, left: int) -> int:
        return left and self(left - 1)

    async def aforward(self, left: int) -> int:
        return left and await self.acall(left - 1)


def through(door: str, program: Any, *values: Any, **inputs: Any) -> Any:
    result = getattr(program, door)(*values, **inputs)
    if not inspect.isawaitable(result):
        return result

    async def awaited() -> Any:
        return await result

    return asyncio.run(awaited())


def use_dummy() -> None:
    reply = {
        "next_thought": "done",
        "next_tool_name": "finish",
        "next_tool_args": "{}",
        "reasoning": "so",
        "answer": "Here",
    }
    dspy.configure(lm=DummyLM([reply] * 20))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("program", [Desk, PoliteDesk])
def test_every_module_is_one_span_through_every_door(program: type[Desk], door: str, telemetry: Recorded) -> None:
    use_dummy()
    assert through(door, program(), question="Where?").answer == "Here"
    assert telemetry.tree() == (
        f"invoke_workflow {program.__name__}\n  ChainOfThought answer\n    Predict answer\n      chat dummy"
    )


@pytest.mark.parametrize("door", DOORS)
def test_an_agent_is_one_trace_through_every_door(door: str, telemetry: Recorded) -> None:
    use_dummy()
    through(door, dspy.ReAct("question -> answer", tools=[]), question="Where?")
    assert telemetry.tree().splitlines()[0] == "invoke_agent ReAct"
    assert len(telemetry.named("invoke_agent ReAct")) == 1
    assert len({span.context.trace_id for span in telemetry.spans}) == 1


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("program", [Countdown, Steps])
def test_a_module_that_calls_itself_is_a_span_for_each_call(
    program: type[Countdown], door: str, telemetry: Recorded
) -> None:
    through(door, program(), 2)
    name = f"invoke_workflow {program.__name__}"
    assert telemetry.tree() == f"{name}\n  {name}\n    {name}"


def test_calls_of_one_module_at_the_same_time_are_spans_beside_each_other(telemetry: Recorded) -> None:
    class Fork(dspy.Module):
        async def aforward(self, left: int) -> Any:
            return await asyncio.gather(*(self.aforward(left - 1) for _ in range(left)))

    asyncio.run(Fork().acall(2))
    name = "invoke_workflow Fork"
    assert telemetry.tree() == f"{name}\n  {name}\n    {name}\n  {name}\n    {name}"


def test_a_forward_that_is_a_coroutine_function_is_one_span_around_its_work(telemetry: Recorded) -> None:
    use_dummy()

    class Waiting(dspy.Module):
        async def forward(self, question: str) -> Any:
            return await dspy.Predict("question -> answer").acall(question=question)

    for door in ("__call__", "forward"):
        telemetry.clear()
        assert through(door, Waiting(), "Where?").answer == "Here"
        assert telemetry.tree() == "invoke_workflow Waiting\n  Predict question -> answer\n    chat dummy"


def test_an_aforward_that_hands_out_a_coroutine_is_one_span(telemetry: Recorded) -> None:
    use_dummy()

    class Handing(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspy.Predict("question -> answer")

        def aforward(self, question: str) -> Any:
            return self.answer.aforward(question=question)

    for door in ("acall", "aforward"):
        telemetry.clear()
        assert through(door, Handing(), question="Where?").answer == "Here"
        assert telemetry.named("invoke_workflow Handing") != []
        assert len(telemetry.spans) == 3


def test_the_exception_of_a_forward_is_that_of_its_span(telemetry: Recorded) -> None:
    class Failing(dspy.Module):
        def forward(self) -> None:
            raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        Failing().forward()
    assert attributes_of(telemetry.span("invoke_workflow Failing"))["error.type"] == "KeyError"


@pytest.mark.parametrize("door", ["__call__", "forward"])
def test_a_search_is_one_span_through_both_doors(door: str, telemetry: Recorded) -> None:
    class Shelf(dspy.Retrieve):
        def forward(self, query: str, k: int | None = None, **settings: Any) -> Any:
            return dspy.Prediction(passages=[query] * (k or self.k))

    through(door, Shelf(k=2), "boats")
    assert telemetry.tree() == "retrieval"
    attributes = telemetry.attributes("retrieval")
    assert (attributes["dspy.documents.count"], attributes["gen_ai.retrieval.top_k"]) == (2, 2)


def test_what_is_no_ordinary_method_works_as_without_the_instrumentation(telemetry: Recorded) -> None:
    class Static(dspy.Module):
        @staticmethod
        def forward(text: str) -> str:
            return text.upper()

    class Generating(dspy.Module):
        def forward(self) -> Any:
            yield from (1, 2)

    class Streaming(dspy.Module):
        async def forward(self) -> Any:
            for number in (1, 2):
                yield number

    async def collect(stream: Any) -> list[int]:
        return [number async for number in stream]

    own = Countdown()
    own.forward = lambda left: left * 2  # type: ignore[method-assign]
    assert (Static()("a"), Static().forward("a"), Static.forward("a")) == ("A", "A", "A")
    assert ([*Generating()()], [*Generating().forward()]) == ([1, 2], [1, 2])
    assert asyncio.run(collect(Streaming().forward())) == [1, 2]
    assert (own(3), own.forward(3)) == (6, 6)
    assert Countdown.forward(Desk, 0) == 0  # type: ignore[arg-type]


def test_forward_looks_as_it_did(start_telemetry: StartTelemetry) -> None:
    def looks() -> list[Any]:
        desk = Desk()
        return [
            inspect.signature(desk.forward),
            inspect.iscoroutinefunction(desk.forward),
            inspect.iscoroutinefunction(desk.aforward),
            inspect.getsource(desk.forward),
            inspect.getsource(Desk),
            desk.forward.__name__,
            Desk.forward is PoliteDesk.__mro__[1].forward,
        ]

    def contents() -> list[tuple[str, int]]:
        return [(name, id(value)) for name, value in vars(Desk).items()]

    plain, before = looks(), contents()
    start_telemetry()
    assert looks() == plain
    assert contents() != before
    DSPyInstrumentor().uninstrument()
    assert contents() == before


def test_dspy_warns_of_a_direct_call_as_often_as_without_the_instrumentation(
    start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    def warnings_of(act: Callable[[], object]) -> list[str]:
        caplog.clear()
        act()
        return [record.getMessage() for record in caplog.records if "discouraged" in record.getMessage()]

    def act() -> None:
        use_dummy()
        desk = Desk()
        desk(question="Where?")
        desk.forward(question="Where?")
        copy.deepcopy([desk.forward])

    logging.getLogger("dspy").addHandler(caplog.handler)
    try:
        plain = warnings_of(act)
        start_telemetry()
        assert warnings_of(act) == plain
    finally:
        logging.getLogger("dspy").removeHandler(caplog.handler)
