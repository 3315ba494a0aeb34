"""Whatever a function of the application does that is given to the library: each call has its result and is told."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from hostile_parts import StrangeError
from numbered_calls import NumberedModel
from numbered_desk import Desk, assert_all_is_told_once, assert_the_program_is_as_ever
from odd_values import HOSTILE
from opentelemetry.trace import INVALID_SPAN, get_current_span

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from recorded import Recorded

    Start = Callable[[Callable[[], Any]], Recorded]

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.complaints]

CALLS = range(1, 4)
HOOK = "OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK"
SECRET = "what nobody is to read"


class Hook:
    """A completion hook of util-genai, which does what ``given`` does."""

    given: Callable[[], Any]

    def on_completion(self, **_: Any) -> None:
        type(self).given()


FUNCTIONS: dict[str, Callable[[Callable[[], Any]], dict[str, Any]]] = {
    "redact": lambda given: {"redact": lambda text, kind: given()},
    "prices": lambda given: {"prices": lambda call: given()},
    "a completion hook": lambda given: {"completion_hook": type("Given", (Hook,), {"given": staticmethod(given)})()},
    "a named completion hook": lambda given: {},
}

ERRORS = (
    *(ZeroDivisionError, StrangeError, StopIteration, StopAsyncIteration, RecursionError, MemoryError),
    *(SystemExit, GeneratorExit, asyncio.CancelledError),
)


@pytest.fixture(params=FUNCTIONS)
def start(request: pytest.FixtureRequest, start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Instrument DSPy with a function of the application, wherever one is taken."""

    def begin(given: Callable[[], Any]) -> Recorded:
        monkeypatch.setattr(Hook, "given", staticmethod(given), raising=False)
        if request.param == "a named completion hook":
            point = EntryPoint("hostile", f"{__name__}:Hook", "opentelemetry_genai_completion_hook")
            monkeypatch.setattr("opentelemetry.util.genai.completion_hook.entry_points", lambda **_: [point])
            monkeypatch.setenv(HOOK, "hostile")
        return start_telemetry(capture="SPAN_AND_EVENT", **FUNCTIONS[request.param](given))

    dspy.configure(lm=NumberedModel(model="numbered"))
    return begin


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the instrumentation, or what it stands on, logged: with the stacks."""
    formatter = logging.Formatter()
    return [formatter.format(each) for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("error", ERRORS)
def test_one_that_raises(start: Start, error: type[BaseException], caplog: pytest.LogCaptureFixture) -> None:
    reached: list[int] = []

    def given() -> Any:
        reached.append(1)
        raise error(SECRET)

    telemetry = start(given)
    assert_the_program_is_as_ever(CALLS)
    assert_all_is_told_once(telemetry, CALLS)
    assert len(reached) >= 2 * len(CALLS)
    [said] = warnings(caplog)
    assert error.__name__ in said
    assert SECRET not in said
    assert SECRET not in telemetry.everything()


@pytest.mark.parametrize("make", HOSTILE)
def test_one_that_returns_anything(start: Start, make: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    telemetry = start(make)
    assert_the_program_is_as_ever(CALLS)
    assert_all_is_told_once(telemetry, CALLS)
    assert len(warnings(caplog)) <= 1


def test_ctrl_c_in_one_ends_the_program_and_nothing_stays_behind(start: Start) -> None:
    def given() -> Any:
        raise KeyboardInterrupt

    start(given)
    with pytest.raises(KeyboardInterrupt):
        Desk()(question="number 1")
    assert (current_call(), get_current_span()) == (NO_CALL, INVALID_SPAN)


def test_one_that_hangs_in_a_thread_keeps_no_other_from_its_calls(start: Start) -> None:
    hanging, release = threading.Event(), threading.Event()

    def given() -> Any:
        if threading.current_thread().name.startswith("hanging"):
            hanging.set()
            release.wait()

    telemetry = start(given)
    with ThreadPoolExecutor(1, "hanging") as pool:
        try:
            late = pool.submit(Desk(), question="number 4")
            assert hanging.wait(30)
            assert_the_program_is_as_ever(CALLS)
        finally:
            release.set()
        assert late.result().answer == "here"
    assert len(telemetry.named("chat numbered")) == 2 * len(CALLS) + 1


def test_one_that_asks_the_program_itself_comes_to_an_end(start: Start) -> None:
    asked: list[int] = []

    def given() -> Any:
        asked.append(1)
        Desk()(question="number 9")

    telemetry = start(given)
    assert_the_program_is_as_ever(CALLS)
    assert_all_is_told_once(telemetry, CALLS)
    assert len(asked) < 200


def test_one_that_takes_the_instrumentation_out(start: Start) -> None:
    def given() -> Any:
        DSPyInstrumentor().uninstrument()

    start(given)
    assert Desk()(question="number 1").answer == "here"
    assert asyncio.run(Desk().acall(question="number 2")).answer == "here"
    assert not DSPyInstrumentor().is_instrumented_by_opentelemetry


def test_one_that_shuts_the_providers_down(start: Start) -> None:
    telemetry: Recorded

    def given() -> Any:
        for provider in telemetry.providers.values():
            provider.shutdown()

    telemetry = start(given)
    assert_the_program_is_as_ever(CALLS)
