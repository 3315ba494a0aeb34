"""A failed call keeps nothing of the program alive: not what its functions had in hand, nor its exception."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from broken import where_it_broke

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import StartTelemetry
    from recorded import Recorded


class Pool:
    """Connections, each of which is back in the pool when nobody has it in hand any more."""

    def __init__(self, size: int) -> None:
        self.free = size

    def take(self) -> Connection:
        if not self.free:
            raise RuntimeError("the pool is exhausted")
        self.free -= 1
        return Connection(self)


class Connection:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def __del__(self) -> None:
        self.pool.free += 1


class SlottedError(ValueError):
    __slots__ = ()


class Retrying(dspy.Module):
    """A module that tries again and again what fails each time."""

    def __init__(self, call: Any, tries: int) -> None:
        super().__init__()
        self.call = [call]
        self.tries = tries

    def forward(self, **inputs: Any) -> str:
        for number in range(self.tries):
            with contextlib.suppress(ValueError):
                self.call[0](number=number)
        return "given up"

    async def aforward(self, **inputs: Any) -> str:
        for number in range(self.tries):
            with contextlib.suppress(ValueError):
                await self.call[0].acall(number=number)
        return "given up"


class Asking(dspy.Module):
    """A module, itself, that fails with a connection in hand."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = [function]

    def forward(self, number: int) -> None:
        self.function[0](number=number)

    async def aforward(self, number: int) -> None:
        self.function[0](number=number)


@pytest.fixture
def no_collection() -> Iterator[None]:
    """A program may count on what nobody holds being gone at once."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("capture", ["", "SPAN_AND_EVENT"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", [ValueError, SlottedError, UnicodeError])
def test_fifty_failures_do_not_exhaust_a_pool_of_twenty_connections(
    start_telemetry: StartTelemetry, kind: type[ValueError], asynchronous: bool, capture: str
) -> None:
    start_telemetry(capture=capture)
    pool = Pool(20)

    def query(number: int) -> None:
        connection = pool.take()
        raise kind(f"no row {number} in {type(connection).__name__}")

    for call in (dspy.Tool(query), Asking(query), dspy.Tool(Asking(query).forward, name="asking")):
        if asynchronous and call.__class__ is dspy.Tool:
            continue
        program = Retrying(call, 50)
        assert (asyncio.run(program.acall()) if asynchronous else program()) == "given up"
        assert pool.free == 20


@pytest.mark.usefixtures("no_collection")
def test_what_ended_the_outermost_call_is_gone_with_it(telemetry: Recorded) -> None:
    pool = Pool(1)

    def query(number: int) -> None:
        connection = pool.take()
        raise ValueError(f"no row {number} in {type(connection).__name__}")

    for number in range(3):
        with contextlib.suppress(ValueError):
            Asking(dspy.Tool(query))(number=number)
    with contextlib.suppress(ValueError):
        Asking(Asking(query))(number=3)
    assert pool.free == 1
    assert [span for span, _ in where_it_broke(telemetry)] == [*["execute_tool query"] * 3, "invoke_workflow Asking"]


@pytest.mark.usefixtures("no_collection")
def test_what_failed_in_an_evaluation_lives_no_longer_than_without_instrumentation(
    start_telemetry: StartTelemetry,
) -> None:
    def query(number: int) -> None:
        connection = pool.take()
        raise ValueError(f"no row {number} in {type(connection).__name__}")

    examples = [dspy.Example(number=number).with_inputs("number") for number in range(9)]
    free = []
    for telemetry in (None, start_telemetry):
        pool = Pool(9)
        if telemetry is not None:
            recorded = telemetry()
        evaluate = dspy.Evaluate(
            devset=examples, metric=lambda *_: 1.0, num_threads=1, display_progress=False, max_errors=100
        )
        evaluate(Asking(query))
        free.append(pool.free)
    assert free[0] == free[1]
    assert len(where_it_broke(recorded)) == 9


@pytest.mark.usefixtures("no_collection")
def test_an_exception_at_the_address_of_one_that_is_gone_is_told_with_its_own_words(telemetry: Recorded) -> None:
    addresses = []

    def query(number: int) -> None:
        error = ValueError(f"no row {number}")
        addresses.append(id(error))
        try:
            raise error
        finally:
            del error

    Retrying(dspy.Tool(query), 20)()
    assert len({*addresses}) < 20
    assert [attributes["exception.message"] for _, attributes in where_it_broke(telemetry)] == [
        f"no row {number}" for number in range(20)
    ]


@pytest.mark.usefixtures("no_collection")
def test_a_call_that_raises_at_the_address_of_one_that_it_caught_is_told(telemetry: Recorded) -> None:
    addresses = []

    def query() -> None:
        error = ValueError("no row")
        addresses.append(id(error))
        try:
            raise error
        finally:
            del error

    class Trying(dspy.Module):
        def forward(self) -> None:
            with contextlib.suppress(ValueError):
                tool()
            query()

    tool = dspy.Tool(query)
    for _ in range(50):
        with contextlib.suppress(ValueError):
            Trying()()
        if addresses[-2] == addresses[-1]:
            break
    calls = len(addresses) // 2
    assert [span for span, _ in where_it_broke(telemetry)] == ["invoke_workflow Trying", "execute_tool query"] * calls
    if addresses[-2] != addresses[-1]:
        pytest.skip("this process of Python 3.10 gives out no address again that was just let go of")
