"""One call is one span, whichever door it came in by: ``__call__``, ``acall``, ``forward`` or ``aforward``."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from recorded import Recorded

THOUGHT = "  ChainOfThought think\n    Predict think\n      chat dummy"


class Program(dspy.Module):  # type: ignore[misc]
    """A program that calls what it holds by the inner door."""

    def __init__(self) -> None:
        super().__init__()
        self.think = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> Any:
        return self.think.forward(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.think.aforward(question=question)


class Careful(Program):
    """One that hands on to the class that it comes from."""

    def forward(self, question: str) -> Any:
        return super().forward(question)

    async def aforward(self, question: str) -> Any:
        return await super().aforward(question)


DOORS = {
    "__call__": lambda program: program(question="Where?"),
    "acall": lambda program: asyncio.run(program.acall(question="Where?")),
    "forward": lambda program: program.forward("Where?"),
    "aforward": lambda program: asyncio.run(program.aforward(question="Where?")),
}


@pytest.fixture(autouse=True)
def answers() -> Any:
    """A language model for all of these tests, and no advice of DSPy's."""
    logging.getLogger("dspy.primitives.module").setLevel(logging.ERROR)
    with dspy.context(lm=DummyLM([{"reasoning": "r", "answer": "a"}] * 20)):
        yield


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", [Program, Careful])
def test_every_door_leads_to_the_same_tree(telemetry: Recorded, kind: type[dspy.Module], door: str) -> None:
    assert DOORS[door](kind()).answer == "a"
    assert telemetry.tree() == f"invoke_workflow {kind.__name__}\n{THOUGHT}"
    thought = telemetry.attributes("ChainOfThought think")
    assert thought["dspy.module.path"] == "think"
    assert thought["dspy.usage.lm_calls"] == 1


def test_a_program_that_another_one_calls_by_the_inner_door_is_a_call_of_its_own(telemetry: Recorded) -> None:
    class Outer(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = Program()

        def forward(self, question: str) -> Any:
            first = self.inner.forward(question)
            return first, self.inner(question=question)

    Outer()(question="Where?")
    inner = "\n".join(f"  {line}" for line in f"invoke_workflow Program\n{THOUGHT}".splitlines())
    assert telemetry.tree() == f"invoke_workflow Outer\n{inner}\n{inner}"


def count(word: str) -> int:
    """Count letters."""
    return len(word)


def test_an_agent_that_is_asked_by_the_inner_door_is_one_trace(telemetry: Recorded) -> None:
    steps = [
        {"next_thought": "count", "next_tool_name": "count", "next_tool_args": {"word": "Nile"}},
        {"next_thought": "done", "next_tool_name": "finish", "next_tool_args": {}},
        {"reasoning": "r", "answer": "4"},
    ]
    with dspy.context(lm=DummyLM(steps)):
        asyncio.run(dspy.ReAct("question -> answer", tools=[count]).aforward(question="How long?"))
    roots = [span for span in telemetry.spans if span.parent is None]
    assert [span.name for span in roots] == ["invoke_agent ReAct"]
    assert len(telemetry.named("execute_tool count")) == 1


def test_the_methods_look_as_they_did_and_are_put_back(telemetry: Recorded) -> None:
    assert list(inspect.signature(Program.forward).parameters) == ["self", "question"]
    assert inspect.iscoroutinefunction(Program.aforward)
    assert "think.forward" in inspect.getsource(Program.forward)
    assert Program.forward.__qualname__ == "Program.forward"
    DSPyInstrumentor().uninstrument()
    assert inspect.isfunction(vars(Program)["forward"])
    assert inspect.iscoroutinefunction(vars(Program)["aforward"])
    Program().forward("Where?")
    assert telemetry.spans == []


def test_a_forward_of_one_object_alone_goes_on_working(telemetry: Recorded) -> None:
    program = Program()
    object.__setattr__(program, "forward", lambda question: "own")
    assert program(question="Where?") == "own"
    assert telemetry.tree() == "invoke_workflow Program"


def test_dspy_gives_its_advice_about_forward_as_it_does_without_us(
    telemetry: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    def advice() -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="dspy.primitives.module"):
            program = Program()
            program(question="Where?")
            program.forward("Where?")
        return [record.getMessage() for record in caplog.records if record.name.startswith("dspy")]

    with_us = advice()
    DSPyInstrumentor().uninstrument()
    assert with_us == advice()
