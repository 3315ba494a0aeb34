"""On every DSPy an exception is told once, where it came up, and its stack holds nothing that was given or answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from broken import exception_logs, where_it_broke
from model_server import Failure, Reply

if TYPE_CHECKING:
    from conftest import MakeLM
    from model_server import ModelServer
    from recorded import Recorded

QUESTION = "Where does Bartholomew Featherstonehaugh live?"
REPLY = "Wilhelmina Oppenheim-Vance lives at 12 Quarry Lane"


class Desk(dspy.Module):
    """A program around one predictor."""

    def __init__(self, predictor: Any) -> None:
        super().__init__()
        self.answer = predictor

    def forward(self, question: str) -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.answer.acall(question=question)


def fail(program: Any, *, asynchronous: bool) -> None:
    def run() -> Any:
        return asyncio.run(program.acall(question=QUESTION)) if asynchronous else program(question=QUESTION)

    with pytest.raises(Exception, match=r".+"):
        run()


def nothing_private(telemetry: Recorded) -> bool:
    everything = telemetry.everything()
    return not any(word in everything for word in ("Bartholomew", "Featherstone", "Wilhelmina", "Quarry"))


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_refuses(
    telemetry: Recorded, make_lm: MakeLM, model_server: ModelServer, status: int, asynchronous: bool
) -> None:
    make_lm()
    model_server.fail_when(lambda _: True, Failure(status, "the model is away"))
    fail(Desk(dspy.ChainOfThought("question -> answer")), asynchronous=asynchronous)
    chats = telemetry.named("chat gpt-4o-mini")
    # What an adapter raises in its place, as that of 2.6 does, is an exception of its own.
    told = [attributes for span, attributes in where_it_broke(telemetry) if span == "chat gpt-4o-mini"]
    others = [attributes for span, attributes in where_it_broke(telemetry) if span != "chat gpt-4o-mini"]
    assert [attributes["exception.type"] for attributes in others] in ([], ["RuntimeError"])
    assert [record.log_record.event_name for record in exception_logs(telemetry)] == [
        "gen_ai.client.operation.exception"
    ] * len(chats)
    for attributes, chat in zip(told, chats, strict=True):
        assert attributes["exception.type"] == (chat.attributes or {})["error.type"]
        assert f'File "{__file__}"' in attributes["exception.stacktrace"]
    assert nothing_private(telemetry)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_reply_that_cannot_be_read(
    telemetry: Recorded, make_lm: MakeLM, model_server: ModelServer, asynchronous: bool
) -> None:
    make_lm()
    model_server.reply = lambda _: Reply(text=REPLY)
    fail(Desk(dspy.Predict("question -> count: int")), asynchronous=asynchronous)
    [(span, attributes)] = where_it_broke(telemetry)
    assert span == "Predict answer"
    assert attributes["exception.message"] == telemetry.span(span).status.description
    assert "Traceback (most recent call last):" in attributes["exception.stacktrace"]
    assert exception_logs(telemetry) == []
    assert nothing_private(telemetry)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_tool_that_fails(telemetry: Recorded, asynchronous: bool) -> None:
    def look_up(name: str) -> str:
        raise LookupError(f"nothing about {name}")

    async def look_up_slowly(name: str) -> str:
        raise LookupError(f"nothing about {name}")

    tool = dspy.Tool(look_up_slowly if asynchronous else look_up, name="look_up")
    with pytest.raises(LookupError):
        asyncio.run(tool.acall(name=REPLY)) if asynchronous else tool(name=REPLY)
    [(span, _)] = where_it_broke(telemetry)
    assert span == "execute_tool look_up"
    assert [record.log_record.event_name for record in exception_logs(telemetry)] == ["gen_ai.execute_tool.exception"]
    assert nothing_private(telemetry)


def test_a_metric_that_fails(telemetry: Recorded, make_lm: MakeLM) -> None:
    def metric(example: Any, prediction: Any, trace: Any = None) -> float:
        raise ArithmeticError(f"no score for {example.question}")

    make_lm()
    example = dspy.Example(question=QUESTION, answer=REPLY).with_inputs("question")
    evaluate = dspy.Evaluate(devset=[example], metric=metric, num_threads=1, max_errors=10)
    evaluate(Desk(dspy.Predict("question -> answer")))
    assert [(span, attributes["exception.type"]) for span, attributes in where_it_broke(telemetry)] == [
        ("evaluate_example", "ArithmeticError")
    ]
    assert nothing_private(telemetry)
