"""An exception is told once: on the innermost span that it ended, and in the conventions' log events."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import sys
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from broken import exception_logs, stack_of, where_it_broke
from dspy.utils import DummyLM
from model_server import Failure, Reply
from opentelemetry._logs import NoOpLoggerProvider, SeverityNumber
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult
from recorded import Recorded

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, exception_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer

    Make = Callable[[], BaseException]

CHAT = "chat gpt-4o-mini"


class Calling(dspy.Module):
    """A module that calls what it was given."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, **inputs: Any) -> Any:
        return self.inner(**inputs)

    async def aforward(self, **inputs: Any) -> Any:
        return await self.inner.acall(**inputs)


class Raising(dspy.Module):
    """A module that raises what it was given."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = [error]

    def forward(self, **inputs: Any) -> None:
        raise self.error[0]

    async def aforward(self, **inputs: Any) -> None:
        raise self.error[0]


class Surviving(dspy.Module):
    """A module that catches what comes out of the one inside."""

    def __init__(self, *inner: Any) -> None:
        super().__init__()
        self.inner = [*inner]

    def forward(self) -> None:
        for each in self.inner:
            with contextlib.suppress(ValueError, LookupError):
                each()


def run(module: Any, *, asynchronous: bool, **inputs: Any) -> Any:
    return asyncio.run(module.acall(**inputs)) if asynchronous else module(**inputs)


class SlottedError(Exception):
    __slots__ = ()


class UnequalError(Exception):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = None  # type: ignore[assignment]


class StubbornError(Exception):
    """An exception that fails wherever it is looked at."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no traceback")

    @__traceback__.setter
    def __traceback__(self, value: Any) -> None:
        """Python sets it."""

    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no cause")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no parcel"),
        SlottedError("slots"),
        UnequalError("unequal"),
        StubbornError(),
        KeyboardInterrupt(),
        SystemExit(3),
        GeneratorExit(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_that_passes_many_spans_is_told_on_the_innermost_alone(
    telemetry: Recorded, error: BaseException
) -> None:
    program = Calling(Calling(Calling(Raising(error))))
    before = {*dir(error)}
    raised = None
    try:  # pytest's own look at an exception is more than some of these bear
        program()
    except BaseException as caught:  # noqa: BLE001 - as above
        raised = caught
    assert raised is error
    [(span, attributes)] = where_it_broke(telemetry)
    assert span == "invoke_workflow Raising"
    assert attributes["exception.type"] == telemetry.attributes("invoke_workflow Raising")["error.type"]
    assert "raise self.error[0]" in attributes["exception.stacktrace"]
    assert {*dir(error)} == before


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_the_event_says_of_what_class_and_with_the_text_of_the_status(telemetry: Recorded, asynchronous: bool) -> None:
    with pytest.raises(LookupError):
        run(Calling(Raising(LookupError("no parcel"))), asynchronous=asynchronous)
    [(_, attributes)] = where_it_broke(telemetry)
    assert [*attributes] == ["exception.type", "exception.message", "exception.stacktrace"]
    assert attributes["exception.type"] == "LookupError"
    assert attributes["exception.message"] == "no parcel"
    lines = attributes["exception.stacktrace"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "LookupError"
    method = "aforward" if asynchronous else "forward"
    assert [line.rpartition(" in ")[2] for line in lines if __file__ in line] == [method, method]
    assert lines[-2] == "    raise self.error[0]"
    assert exception_logs(telemetry) == []


def test_the_stack_is_the_programs_own_with_the_calls_that_led_there(telemetry: Recorded) -> None:
    with pytest.raises(ValueError, match="text"):
        Calling(Calling(Raising(ValueError("text"))))()
    stack = stack_of(telemetry)
    assert stack.count("return self.inner(**inputs)") == 2
    assert stack.index("return self.inner(**inputs)") < stack.index("raise self.error[0]")
    assert "opentelemetry" not in stack
    # What called the outermost module is in no trace, and not here.
    assert "Calling(Calling" not in stack


def test_a_new_exception_is_told_where_it_first_ended_a_span(telemetry: Recorded) -> None:
    class Translating(Calling):
        def forward(self, **inputs: Any) -> Any:
            try:
                return self.inner(**inputs)
            except ValueError as error:
                raise LookupError(f"in {len(inputs)} pieces") from error

    with pytest.raises(LookupError):
        Calling(Translating(Calling(Raising(ValueError("Ann's parcel")))))()
    assert [(span, attributes["exception.type"]) for span, attributes in where_it_broke(telemetry)] == [
        ("invoke_workflow Translating", "LookupError"),
        ("invoke_workflow Raising", "ValueError"),
    ]
    stack = where_it_broke(telemetry)[0][1]["exception.stacktrace"]
    assert "The above exception was the direct cause of the following exception:" in stack
    assert stack.index("\nValueError\n") < stack.index("LookupError")
    # Neither the message of the one nor that of the other.
    assert "Ann" not in stack
    assert "0 pieces" not in stack


def test_one_that_is_raised_again_later_is_told_again(telemetry: Recorded) -> None:
    kept = ValueError("kept")
    Surviving(Raising(kept), Calling(Raising(kept)))()
    assert [span for span, _ in where_it_broke(telemetry)] == ["invoke_workflow Raising"] * 2
    with pytest.raises(ValueError, match="kept"):
        Calling(Raising(kept))()
    assert [span for span, _ in where_it_broke(telemetry)] == ["invoke_workflow Raising"] * 3


def test_one_that_was_caught_and_raised_again_is_not(telemetry: Recorded) -> None:
    class Again(Calling):
        def forward(self, **inputs: Any) -> Any:
            try:
                return self.inner(**inputs)
            except ValueError as error:
                kept = error
            raise kept

    with pytest.raises(ValueError, match="again"):
        Calling(Again(Raising(ValueError("again"))))()
    assert [span for span, _ in where_it_broke(telemetry)] == ["invoke_workflow Raising"]


def test_a_hundred_failures_inside_do_not_make_the_one_that_passes_news(telemetry: Recorded) -> None:
    class Choosing(dspy.Module):
        def forward(self) -> None:
            errors = [ValueError(str(number)) for number in range(50)]
            for error in errors:
                with contextlib.suppress(ValueError):
                    Raising(error)()
            raise errors[0]

    with pytest.raises(ValueError, match="0"):
        Choosing()()
    assert [span for span, _ in where_it_broke(telemetry)] == ["invoke_workflow Raising"] * 50


def test_one_that_crosses_threads_is_told_once(telemetry: Recorded) -> None:
    class Threaded(Calling):
        def forward(self, **inputs: Any) -> Any:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                return pool.submit(contextvars.copy_context().run, self.inner, **inputs).result()

    with pytest.raises(ValueError, match="thread"):
        Calling(Threaded(Raising(ValueError("thread"))))()
    assert [span for span, _ in where_it_broke(telemetry)] == ["invoke_workflow Raising"]


def test_one_that_crosses_dspys_own_threads_is_told_once(telemetry: Recorded) -> None:
    error = ValueError("parallel")
    # With fewer errors allowed DSPy leaves without waiting for its threads.
    dspy.Parallel(num_threads=2, max_errors=3)([(Raising(error), {}), (Calling(Raising(error)), {})])
    told = [span for span, attributes in where_it_broke(telemetry) if attributes["exception.type"] == "ValueError"]
    assert set(told) == {"invoke_workflow Raising"}


def test_one_that_crosses_tasks_is_told_once(telemetry: Recorded) -> None:
    class Gathering(dspy.Module):
        async def aforward(self) -> None:
            inner = [Raising(ValueError(str(number))) for number in range(3)]
            results = await asyncio.gather(*[module.acall() for module in inner], return_exceptions=True)
            raise results[1]

    with pytest.raises(ValueError, match="1"):
        asyncio.run(Gathering().acall())
    assert [(span, attributes["exception.message"]) for span, attributes in where_it_broke(telemetry)] == [
        ("invoke_workflow Raising", str(number)) for number in range(3)
    ]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python has no groups of exceptions")
def test_a_group_is_told_where_it_came_about_with_its_exceptions(telemetry: Recorded) -> None:
    class Grouping(dspy.Module):
        async def aforward(self) -> None:
            async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
                for number in range(2):
                    group.create_task(Raising(ValueError(f"secret {number}")).acall())

    with pytest.raises(BaseException, match="unhandled errors in a TaskGroup"):
        asyncio.run(Grouping().acall())
    told = where_it_broke(telemetry)
    assert [(span, attributes["exception.type"]) for span, attributes in told] == [
        ("invoke_workflow Grouping", "ExceptionGroup"),
        ("invoke_workflow Raising", "ValueError"),
        ("invoke_workflow Raising", "ValueError"),
    ]
    stack = told[0][1]["exception.stacktrace"]
    assert "Exception 1 of the 2 in the group:" in stack
    assert stack.endswith("raise self.error[0]\nValueError")
    assert "secret" not in stack


def test_a_task_that_is_cancelled_is_told_of_once(telemetry: Recorded) -> None:
    class Waiting(dspy.Module):
        async def aforward(self) -> None:
            started.set()
            await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.create_task(Calling(Waiting()).acall())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = asyncio.Event()
    asyncio.run(cancel())
    [(span, attributes)] = where_it_broke(telemetry)
    assert span == "invoke_workflow Waiting"
    assert attributes["exception.type"] == "asyncio.exceptions.CancelledError"
    assert "await asyncio.Event().wait()" in attributes["exception.stacktrace"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_refuses_is_told_on_the_call_of_the_model_and_in_a_log_event(
    telemetry: Recorded, model_server: ModelServer, lm: dspy.LM, status: int, asynchronous: bool
) -> None:
    lm.num_retries = 0
    model_server.fail_when(lambda _: True, Failure(status, "the model is away"))
    with pytest.raises(Exception, match="the model is away"):
        run(Calling(dspy.Predict("question -> answer")), asynchronous=asynchronous, question="Where?")
    [(span, attributes)] = where_it_broke(telemetry)
    assert span == CHAT
    assert attributes["exception.message"] == telemetry.span(CHAT).status.description
    assert "return await self.inner" if asynchronous else "return self.inner" in attributes["exception.stacktrace"]
    [record] = exception_logs(telemetry)
    event, context = record.log_record, telemetry.span(CHAT).context
    assert event.event_name == "gen_ai.client.operation.exception"
    assert (event.severity_number, event.severity_text) == (SeverityNumber.WARN, "WARN")
    assert (event.trace_id, event.span_id) == (context.trace_id, context.span_id)
    assert dict(event.attributes or {}) == attributes
    assert event.body is None


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_stream_that_breaks_off(
    telemetry: Recorded, model_server: ModelServer, lm: dspy.LM, asynchronous: bool
) -> None:
    async def stream() -> None:
        async for _ in dspy.streamify(program)(question="Where?"):
            pass

    def read() -> None:
        if asynchronous:
            asyncio.run(stream())
        else:
            for _ in dspy.streamify(program, async_streaming=False)(question="Where?"):
                pass

    lm.num_retries = 0
    model_server.reply = lambda _: Reply(text="one two three four five six", cut_after=2)
    program = Calling(dspy.Predict("question -> answer"))
    with pytest.raises(BaseException, match=r".+"):
        read()
    chats = [span for span, _ in where_it_broke(telemetry) if span == CHAT]
    assert len(chats) == len(exception_logs(telemetry)) == len(telemetry.named(CHAT))


def test_a_reply_that_cannot_be_read_is_told_on_the_predictor_and_in_no_log_event(telemetry: Recorded) -> None:
    with (
        dspy.context(lm=DummyLM([{"answer": "unread"}]), adapter=dspy.JSONAdapter()),
        pytest.raises(dspy.utils.exceptions.AdapterParseError),
    ):
        dspy.Predict("question -> count: int")(question="How many?")
    assert [(span, attributes["exception.type"]) for span, attributes in where_it_broke(telemetry)] == [
        ("Predict question -> count", "dspy.utils.exceptions.AdapterParseError")
    ]
    assert "unread" not in telemetry.everything()
    assert exception_logs(telemetry) == []


def test_a_tool_that_fails_and_an_agent_that_goes_on(telemetry: Recorded) -> None:
    def look_up(city: str) -> str:
        """Tell the weather."""
        raise LookupError(f"nothing about {city}")

    steps = [
        {"next_thought": "look", "next_tool_name": "look_up", "next_tool_args": {"city": "Rome"}},
        {"next_thought": "done", "next_tool_name": "finish", "next_tool_args": {}},
        {"reasoning": "so", "answer": "unknown"},
    ]
    with dspy.context(lm=DummyLM(steps)):
        dspy.ReAct("question -> answer", tools=[look_up])(question="What is the weather?")
    [(span, attributes)] = where_it_broke(telemetry)
    assert span == "execute_tool look_up"
    assert attributes["exception.message"] == "nothing about …"
    assert "Rome" not in attributes["exception.stacktrace"]
    [record] = exception_logs(telemetry)
    event = record.log_record
    assert event.event_name == "gen_ai.execute_tool.exception"
    assert (event.severity_number, event.severity_text) == (SeverityNumber.WARN, "WARN")
    assert event.span_id == telemetry.span(span).context.span_id
    assert dict(event.attributes or {}) == attributes


def test_a_tool_that_asks_a_program_which_fails_has_the_log_event_and_the_program_the_span_event(
    telemetry: Recorded,
) -> None:
    with pytest.raises(ValueError, match="inside"):
        Calling(dspy.Tool(Raising(ValueError("inside")).forward, name="outer"))()
    assert [span for span, _ in where_it_broke(telemetry)] == ["invoke_workflow Raising"]
    [record] = exception_logs(telemetry)
    assert record.log_record.event_name == "gen_ai.execute_tool.exception"
    assert record.log_record.span_id == telemetry.span("execute_tool outer").context.span_id


def test_a_model_that_fails_inside_a_tool_has_one_log_event(
    telemetry: Recorded, model_server: ModelServer, lm: dspy.LM
) -> None:
    lm.num_retries = 0
    model_server.fail_when(lambda _: True, Failure(401, "the model is away"))
    tool = dspy.Tool(lambda: dspy.Predict("question -> answer")(question="Where?"), name="outer")
    with pytest.raises(Exception, match="the model is away"):
        tool()
    assert [record.log_record.event_name for record in exception_logs(telemetry)] == [
        "gen_ai.client.operation.exception"
    ]


def test_embeddings_and_searches_have_the_log_event_too(telemetry: Recorded) -> None:
    class Searching(dspy.Retrieve):  # type: ignore[misc]
        def forward(self, query: str, k: int | None = None) -> Any:
            raise ConnectionError("no index")

    def embed(texts: list[str]) -> Any:
        raise ConnectionError("no vectors")

    with pytest.raises(ConnectionError):
        Searching()("Where?")
    with pytest.raises(ConnectionError):
        dspy.Embedder(embed)(["Where?"])
    spans = {span.context.span_id: span.name for span in telemetry.spans}
    assert [
        (record.log_record.event_name, spans[record.log_record.span_id]) for record in exception_logs(telemetry)
    ] == [
        ("gen_ai.client.operation.exception", "retrieval"),
        ("gen_ai.client.operation.exception", "embeddings embed"),
    ]


def test_failures_that_an_evaluation_survives_are_told_where_they_came_up(telemetry: Recorded) -> None:
    def metric(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> float:
        if example.question == "metric":
            raise ArithmeticError("no score")
        return 1.0

    class Answering(dspy.Module):
        def forward(self, question: str) -> dspy.Prediction:
            if question == "program":
                raise LookupError("no answer")
            return dspy.Prediction(answer=question)

    examples = [dspy.Example(question=name).with_inputs("question") for name in ("fine", "program", "metric")]
    dspy.Evaluate(devset=examples, metric=metric, num_threads=1, max_errors=10)(Answering())
    told = [(span, attributes["exception.type"]) for span, attributes in where_it_broke(telemetry)]
    assert sorted(told) == [("evaluate_example", "ArithmeticError"), ("invoke_workflow Answering", "LookupError")]
    results = [record.log_record for record in telemetry.logs if record not in exception_logs(telemetry)]
    assert {(event.event_name, event.severity_number, event.severity_text) for event in results} == {
        ("gen_ai.evaluation.result", SeverityNumber.INFO, "INFO")
    }


def test_attempts_that_fail_are_told_on_the_attempt(telemetry: Recorded) -> None:
    tries = iter([ValueError("first"), None])

    class Trying(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspy.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            if error := next(tries):
                raise error
            return self.answer(question=question)

    with dspy.context(lm=DummyLM([{"answer": "here"}] * 2)):
        dspy.BestOfN(Trying(), N=2, reward_fn=lambda *_: 1.0, threshold=1.0, fail_count=2)(question="Where?")
    assert [(span, attributes["exception.message"]) for span, attributes in where_it_broke(telemetry)] == [
        ("invoke_workflow Trying", "first")
    ]


def test_a_call_whose_span_is_not_sampled_leaves_the_exception_to_the_one_around(
    start_telemetry: StartTelemetry,
) -> None:
    telemetry = start_telemetry(sampler=Without("invoke_workflow Raising"))
    Surviving(Calling(Raising(ValueError("deep"))), Calling(Calling(Raising(LookupError("deeper")))))()
    assert [(span, attributes["exception.type"]) for span, attributes in where_it_broke(telemetry)] == [
        ("invoke_workflow Calling", "ValueError"),
        ("invoke_workflow Calling", "LookupError"),
    ]


class Without(Sampler):
    """Leaves out the spans whose names begin with one of some words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *_: Any, **__: Any) -> SamplingResult:
        return SamplingResult(Decision.DROP if name.startswith(self.words) else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "without some"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("left_out", "span"),
    [
        ([], CHAT),
        (["chat"], "Predict answer"),
        (["Predict"], CHAT),
        (["chat", "Predict"], "invoke_workflow Calling"),
        (["chat", "invoke"], "Predict answer"),
        (["chat", "Predict", "invoke"], None),
    ],
)
def test_an_operation_has_its_log_event_whether_its_span_is_sampled_or_not(
    start_telemetry: StartTelemetry,
    model_server: ModelServer,
    lm: dspy.LM,
    left_out: list[str],
    span: str | None,
    asynchronous: bool,
) -> None:
    telemetry = start_telemetry(sampler=Without(*left_out) if left_out else None)
    lm.num_retries = 0
    model_server.fail_when(lambda _: True, Failure(401, "the model is away"))

    class Answering(Calling):
        def __init__(self) -> None:
            super().__init__(None)
            self.inner = self.answer = dspy.Predict("question -> answer")

    with pytest.raises(Exception, match="the model is away"):
        run(Calling(Answering()), asynchronous=asynchronous, question="Where does Ann live?")
    told = [name for name, _ in where_it_broke(telemetry)]
    assert [name.partition(" ")[0] for name in told] == ([] if span is None else [span.partition(" ")[0]])
    [record] = exception_logs(telemetry)
    event = record.log_record
    assert event.event_name == "gen_ai.client.operation.exception"
    assert event.trace_id
    attributes = dict(event.attributes or {})
    assert [*attributes] == ["exception.type", "exception.message", "exception.stacktrace"]
    assert "the model is away" in str(attributes["exception.message"])
    assert "Ann" not in str(attributes)


def test_one_that_passes_operations_which_are_not_sampled_is_logged_once(start_telemetry: StartTelemetry) -> None:
    def inner() -> None:
        raise ValueError("deep")

    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    tool = dspy.Tool(inner)
    outer = dspy.Tool(Calling(tool).forward, name="outer")
    for _ in range(2):
        with pytest.raises(ValueError, match="deep"):
            outer()
    assert [record.log_record.event_name for record in exception_logs(telemetry)] == [
        "gen_ai.execute_tool.exception"
    ] * 2
    assert telemetry.spans == []


def test_nothing_is_told_of_a_call_without_a_span_where_nobody_takes_logs(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[BaseException] = []

    def tell(error: BaseException, *_: Any) -> str:
        told.append(error)
        return "told"

    def fail() -> None:
        raise ValueError

    monkeypatch.setattr(exception_events, "stack_text_of", tell)
    monkeypatch.setattr(exception_events, "message_of", tell)
    for logger_provider, work in ((NoOpLoggerProvider(), 0), (None, 2)):
        recorded = Recorded(ALWAYS_OFF)
        providers = {**recorded.providers, **({} if logger_provider is None else {"logger_provider": logger_provider})}
        DSPyInstrumentor().instrument(**providers)
        with pytest.raises(ValueError, match=r"^$"):
            dspy.Tool(fail)()
        DSPyInstrumentor().uninstrument()
        assert len(told) == work


def test_stacks_can_be_left_out(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_STACK_TRACES", "false")
    telemetry = start_telemetry()
    with pytest.raises(ValueError, match="gate seven"):
        dspy.Tool(Raising(ValueError("gate seven")).forward, name="outer")()
    assert [span.events for span in telemetry.spans] == [(), ()]
    assert telemetry.logs == ()
    assert telemetry.span("execute_tool outer").status.description == "gate seven"


def test_messages_can_be_left_out_and_the_stack_stays(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_ERROR_MESSAGES", "false")
    telemetry = start_telemetry(capture="SPAN_ONLY")
    with pytest.raises(ValueError, match="gate seven"):
        Raising(ValueError("gate seven"))()
    [(_, attributes)] = where_it_broke(telemetry)
    assert [*attributes] == ["exception.type", "exception.stacktrace"]
    assert attributes["exception.stacktrace"].endswith("raise self.error[0]\nValueError")
    assert "gate" not in telemetry.everything()
