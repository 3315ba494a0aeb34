"""A program gives what it gives without the instrumentation: results, usage, history, callbacks, warnings."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils.callback import ACTIVE_CALL_ID, BaseCallback
from model_server import Failure
from opentelemetry.trace import StatusCode

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded

PAIRED = """\
invoke_workflow MyProgram
  ChainOfThought predict1
    Predict predict1
      chat gpt-4o-mini
  ChainOfThought predict2
    Predict predict2
      chat gpt-4o-mini"""

both_ways = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


class MyProgram(dspy.Module):
    """As in DSPy's documentation of its usage tracker: ``__call__`` in the place of ``forward``."""

    def __init__(self) -> None:
        super().__init__()
        self.predict1 = dspy.ChainOfThought("question -> answer")
        self.predict2 = dspy.ChainOfThought("question, draft -> answer")

    def __call__(self, question: str) -> Any:  # type: ignore[override]
        draft = self.predict1(question=question)
        return self.predict2(question=question, draft=draft.answer)

    async def acall(self, question: str) -> Any:  # type: ignore[override]
        draft = await self.predict1.acall(question=question)
        return await self.predict2.acall(question=question, draft=draft.answer)


class WithForward(MyProgram):
    """The same the usual way."""

    __call__ = dspy.Module.__call__
    acall = dspy.Module.acall

    def forward(self, question: str) -> Any:
        return MyProgram.__call__(self, question)

    async def aforward(self, question: str) -> Any:
        return await MyProgram.acall(self, question)


class Listening(BaseCallback):  # type: ignore[misc]
    """Writes down what DSPy tells it, with the calls it says are around each."""

    def __init__(self, heard: list[Any]) -> None:
        self.heard = heard
        self.numbers: dict[str | None, int | None] = {None: None}

    def _start(self, what: str, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self.numbers.setdefault(call_id, len(self.numbers))
        around = self.numbers.get(ACTIVE_CALL_ID.get(), "unknown")
        self.heard.append((what, self.numbers[call_id], around, type(instance).__name__, sorted(inputs)))

    def _end(self, what: str, call_id: str, outputs: Any, exception: BaseException | None) -> None:
        around = self.numbers.get(ACTIVE_CALL_ID.get(), "unknown")
        self.heard.append((what, self.numbers[call_id], around, str(outputs), repr(exception)))

    def on_module_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._start("module start", call_id, instance, inputs)

    def on_module_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self._end("module end", call_id, outputs, exception)

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._start("lm start", call_id, instance, inputs)

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self._end("lm end", call_id, outputs, exception)

    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        self._start("format start", call_id, instance, inputs)

    def on_adapter_parse_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        self._end("parse end", call_id, outputs, exception)


def ask(program: dspy.Module, asynchronous: bool) -> Any:
    return asyncio.run(program.acall(question="Where?")) if asynchronous else program(question="Where?")


def with_and_without(start_telemetry: StartTelemetry, observe: Callable[[], Any]) -> tuple[Any, Any]:
    """What there is to observe without the instrumentation, and with it."""
    without = observe()
    start_telemetry(capture="SPAN_AND_EVENT")
    with_it = observe()
    DSPyInstrumentor().uninstrument()
    return without, with_it


def without_chance(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of a history without what differs from call to call."""
    return {name: value for name, value in entry.items() if name not in ("timestamp", "uuid", "response")}


@both_ways
def test_the_program_of_dspys_documentation_is_one_workflow_with_everything_below_it(
    asynchronous: bool, telemetry: Recorded, lm: dspy.LM
) -> None:
    ask(MyProgram(), asynchronous)
    assert telemetry.tree() == PAIRED
    assert telemetry.attributes("invoke_workflow MyProgram")["dspy.usage.lm_calls"] == 2


@both_ways
@pytest.mark.parametrize("program_class", [MyProgram, WithForward])
def test_the_prediction_and_its_usage_are_the_same(
    program_class: type[MyProgram], asynchronous: bool, start_telemetry: StartTelemetry, lm: dspy.LM
) -> None:
    dspy.configure(track_usage=True)

    def observe() -> Any:
        prediction = ask(program_class(), asynchronous)
        return prediction.toDict(), prediction.get_lm_usage(), type(prediction)

    without, with_it = with_and_without(start_telemetry, observe)
    assert with_it == without
    assert without[1]["openai/gpt-4o-mini"]["prompt_tokens"] > 0


@both_ways
def test_every_history_is_the_same(asynchronous: bool, start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    def observe() -> Any:
        program, language_model = WithForward(), lm.copy()
        with dspy.context(lm=language_model):
            ask(program, asynchronous)
        histories = [
            language_model.history,
            program.history,
            program.predict1.history,
            program.predict2.predict.history,
        ]
        return [[without_chance(entry) for entry in history] for history in histories]

    without, with_it = with_and_without(start_telemetry, observe)
    assert with_it == without
    assert [len(history) for history in without] == [2, 2, 1, 1]


@both_ways
@pytest.mark.parametrize("failing", [False, True], ids=["answered", "failing"])
def test_callbacks_hear_the_same_in_the_same_order_with_the_same_calls_around_them(
    failing: bool, asynchronous: bool, start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    if failing:
        model_server.fail_when(lambda request: "[[ ## draft ## ]]" in request.prompt.text, Failure(400, "no"))

    def observe() -> Any:
        heard: list[Any] = []
        everywhere, on_one = Listening(heard), Listening(heard)
        program = WithForward()
        program.predict2.predict.callbacks = [on_one]
        with dspy.context(callbacks=[everywhere]):
            try:
                ask(program, asynchronous)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is to be the same
                heard.append(repr(error))
        return heard

    without, with_it = with_and_without(start_telemetry, observe)
    assert with_it == without
    assert len(without) > 15
    assert [entry[:4] for entry in without[:3]] == [
        ("module start", 1, None, "WithForward"),
        ("module start", 2, 1, "ChainOfThought"),
        ("module start", 3, 2, "Predict"),
    ]


def test_a_coroutine_that_is_left_to_the_garbage_collector_says_no_more_than_dspy_does_and_ends_its_spans(
    start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Waiting(dspy.Module):
        async def aforward(self) -> None:
            await asyncio.get_running_loop().create_future()

    class Around(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Waiting()

        async def aforward(self) -> None:
            await self.inner.acall()

    def observe() -> list[str]:
        said: list[str] = []
        monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: said.append(repr(type(unraisable.exc_value))))

        async def abandon() -> None:
            coroutine = Around().acall()
            copy_context().run(coroutine.send, None)
            del coroutine

        asyncio.run(abandon())
        gc.collect()
        return said

    without = observe()
    telemetry = start_telemetry()
    assert observe() == without
    assert [span.name for span in telemetry.spans] == ["invoke_workflow Around", "invoke_workflow Waiting"]
    assert [span.status.status_code for span in telemetry.spans] == [StatusCode.ERROR] * 2
    assert caplog.records == []


def test_the_settings_are_not_touched(telemetry: Recorded, lm: dspy.LM) -> None:
    settings: list[dict[str, Any]] = []

    class Looking(dspy.Module):
        def forward(self) -> None:
            settings.append(dict(dspy.settings.copy()))

    looking = Looking()
    looking()
    DSPyInstrumentor().uninstrument()
    looking()
    assert settings[0] == settings[1]
    assert settings[0]["callbacks"] == []


def test_a_module_holds_the_same_after_it_ran(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    def observe() -> Any:
        program = WithForward()
        ask(program, asynchronous=False)
        return [(name, sorted(vars(module))) for name, module in program.named_sub_modules()]

    without, with_it = with_and_without(start_telemetry, observe)
    assert with_it == without


def test_what_is_sent_to_the_model_is_the_same(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    def observe() -> Any:
        before = len(model_server.requests)
        ask(WithForward(), asynchronous=False)
        sent = model_server.requests[before:]
        return [(request.path, request.body, sorted(request.headers)) for request in sent]

    without, with_it = with_and_without(start_telemetry, observe)
    assert with_it == without
    assert len(without) == 2


def test_context_variables_that_a_program_sets_stay_set(telemetry: Recorded) -> None:
    mark: ContextVar[str] = ContextVar("mark", default="unset")

    class Setting(dspy.Module):
        def forward(self) -> None:
            mark.set("by forward")

        async def aforward(self) -> None:
            mark.set("by aforward")

    async def ask_and_look() -> str:
        await Setting().acall()
        return mark.get()

    Setting()()
    assert mark.get() == "by forward"
    assert asyncio.run(ask_and_look()) == "by aforward"
