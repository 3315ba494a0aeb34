"""A program that is ended at any of its awaits has its error, leaves nothing open, and runs as ever the next time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from agent_replies import step
from at_each_await import EndedAt
from opentelemetry.trace import INVALID_SPAN, StatusCode, get_current_span
from sizes import IS_FULL

from opentelemetry.instrumentation.dspy import telemetry_context, usage_scope
from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from conftest import StartTelemetry
    from model_server import ModelServer, Request, Scripted

pytestmark = pytest.mark.filterwarnings("ignore")


class Desk(dspy.Module):
    """Asks twice, one time after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.draft = dspy.ChainOfThought("question -> draft")
        self.answer = dspy.Predict("draft -> answer")

    async def aforward(self, question: str) -> Any:
        draft = await self.draft.acall(question=question)
        return await self.answer.acall(draft=draft.draft)


class Choir(dspy.Module):
    """Asks several at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.voices = [dspy.Predict("question -> answer") for _ in range(3)]

    async def aforward(self, question: str) -> Any:
        return await asyncio.gather(*(voice.acall(question=question) for voice in self.voices))


async def look_up(topic: str) -> str:
    """Look a topic up."""
    await asyncio.sleep(0)
    return f"All about {topic}."


async def stream() -> Any:
    # One that is not goes on in a thread of its own, whatever happens to whoever reads.
    program = dspy.streamify(dspy.Predict("question -> answer"), is_async_program=True)
    return [chunk async for chunk in program(question="Where?")]


async def embed() -> Any:
    connection = {"api_base": dspy.settings.lm.kwargs["api_base"], "api_key": "test-key"}
    return await dspy.Embedder("openai/text-embedding-3-small", caching=False, **connection).acall(["Where?"])


PROGRAMS: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
    "a workflow": lambda: Desk().acall(question="Where?"),
    "calls at the same time": lambda: Choir().acall(question="Where?"),
    "an agent": lambda: dspy.ReAct("question -> answer", tools=[look_up]).acall(question="Where?"),
    "a language model": lambda: dspy.settings.lm.acall("Where?"),
    "a stream": stream,
    "an embedder": embed,
}


def script(request: Request) -> Scripted:
    """An agent looks one thing up; all else has the server's defaults."""
    if "next_tool_name" not in [field.name for field in request.prompt.fields]:
        return None
    looked_up = "All about rivers." in str(request.body)
    return step("finish") if looked_up else step("look_up", topic="rivers")


async def error_of(program: EndedAt[Any]) -> BaseException | None:
    """Run a program to its end, and return what it raised."""
    try:
        await program
    except BaseException as error:  # noqa: BLE001 - of whatever kind the attack is
        return error
    return None


async def end_of_what_is_left() -> None:
    """Wait for the tasks that the program left running; LiteLLM's own worker runs for ever."""
    own = {task for task in asyncio.all_tasks() if "LoggingWorker" not in repr(task.get_coro())}
    left = own - {asyncio.current_task()}
    if left:
        await asyncio.wait(left)


KINDS = (asyncio.CancelledError, KeyboardInterrupt, TimeoutError)
ATTACKS = [
    pytest.param(kind, name, engine, capture, id=f"{name}, {kind.__name__}, {engine}, {capture or 'no content'}")
    for kind in KINDS
    for name in PROGRAMS
    for engine in ("lm15", "litellm")
    for capture in ("", "SPAN_ONLY")
    if IS_FULL or (kind is asyncio.CancelledError and not capture) or (engine == "lm15" and capture)
]


@pytest.mark.parametrize(("kind", "name", "engine", "capture"), ATTACKS)
async def test_at_each_await(
    start_telemetry: StartTelemetry,
    model_server: ModelServer,
    kind: type[BaseException],
    name: str,
    engine: str,
    capture: str,
    tell: Callable[..., None],
) -> None:
    telemetry = start_telemetry(capture=capture)
    model_server.reply = script
    connection = {"api_base": model_server.url, "api_key": "test-key", "cache": False, "num_retries": 0}
    dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", engine=engine, **connection))
    await PROGRAMS[name]()
    whole = telemetry.tree()
    awaits = 0
    while True:
        telemetry.clear()
        ending = EndedAt(PROGRAMS[name](), awaits, kind("from outside"))
        with usage_scope() as usage, telemetry_context(attributes={"attack": awaits}):
            error = await error_of(ending)
        assert error is None or isinstance(error, (kind, asyncio.CancelledError)) or error.__context__ is not None
        if not ending.was_thrown:
            break
        await end_of_what_is_left()
        assert [span.name for span in telemetry.collector.open] == [], awaits
        assert (current_call(), get_current_span()) == (NO_CALL, INVALID_SPAN)
        chats = telemetry.named("chat gpt-4o-mini")
        assert usage.lm_calls == len(chats)
        assert {dict(span.attributes or {})["attack"] for span in telemetry.spans} <= {awaits}
        for span in telemetry.spans:
            failed = span.status.status_code is StatusCode.ERROR
            assert failed is ("error.type" in (span.attributes or {}))
        awaits += 1
    assert awaits > 0
    assert telemetry.tree() == whole
    tell(f"{name} by {kind.__name__}, {engine}, {capture or 'no content'}", ended_at_awaits=awaits, spans_left_open=0)
