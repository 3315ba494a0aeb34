"""Beside wrappers of others, and classes that do unusual things with their methods, nothing breaks or stays behind."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import dspy
import pytest
import wrapt
from opentelemetry.instrumentation.utils import unwrap

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from recorded import Recorded


class Workflow(dspy.Module):
    """A class of the application, there before the instrumentation."""

    def __call__(self, *values: Any, **options: Any) -> Any:
        return super().__call__(*values, **options)

    async def acall(self, *values: Any, **options: Any) -> Any:
        return await super().acall(*values, **options)

    def forward(self, question: str) -> str:
        return question


@wrapt.decorator  # type: ignore[misc]
def somebody_else(wrapped: Any, instance: Any, arguments: Any, keyword_arguments: Any) -> Any:
    """A wrapper of another library, which marks what comes out."""
    return f"{wrapped(*arguments, **keyword_arguments)}, seen"


def test_what_somebody_else_wrapped_in_the_meantime_stays_and_is_recorded_no_more(
    start_telemetry: StartTelemetry,
) -> None:
    original = vars(Workflow)["__call__"]
    recorded = start_telemetry()
    ours = vars(Workflow)["__call__"]
    theirs = somebody_else(ours)
    Workflow.__call__ = theirs  # type: ignore[method-assign]
    try:
        assert Workflow()(question="one") == "one, seen"
        assert recorded.tree() == "invoke_workflow Workflow"

        DSPyInstrumentor().uninstrument()
        assert vars(Workflow)["__call__"] is theirs
        assert Workflow()(question="two") == "two, seen"
        assert recorded.tree() == "invoke_workflow Workflow"

        again = start_telemetry()
        assert Workflow()(question="three") == "three, seen"
        assert again.tree() == "invoke_workflow Workflow"
        DSPyInstrumentor().uninstrument()
        assert vars(Workflow)["__call__"] is theirs
    finally:
        Workflow.__call__ = original  # type: ignore[method-assign]


def test_a_wrapper_that_was_left_below_somebody_elses_is_replaced_the_next_time(
    start_telemetry: StartTelemetry,
) -> None:
    original = vars(Workflow)["__call__"]
    start_telemetry()
    ours = vars(Workflow)["__call__"]
    Workflow.__call__ = somebody_else(ours)  # type: ignore[method-assign]
    DSPyInstrumentor().uninstrument()
    Workflow.__call__ = ours  # type: ignore[method-assign]

    again = start_telemetry()
    assert Workflow()(question="one") == "one"
    assert again.tree() == "invoke_workflow Workflow"
    DSPyInstrumentor().uninstrument()
    assert vars(Workflow)["__call__"] is original


@pytest.mark.parametrize("is_still_on", [True, False], ids=["while ours is on", "after ours was off"])
def test_what_somebody_else_unwraps_is_put_back_all_the_same(
    start_telemetry: StartTelemetry, is_still_on: bool
) -> None:
    """They write what they read from the class: ours as it is bound to the class."""
    original = vars(Workflow)["__call__"]
    recorded = start_telemetry()
    wrapt.wrap_function_wrapper(
        __name__, "Workflow.__call__", lambda wrapped, _, given, named: wrapped(*given, **named)
    )
    if not is_still_on:
        DSPyInstrumentor().uninstrument()
    unwrap(Workflow, "__call__")
    assert vars(Workflow)["__call__"] is not original
    assert Workflow()(question="one") == "one"
    assert recorded.tree() == ("invoke_workflow Workflow" if is_still_on else "")
    again = recorded if is_still_on else start_telemetry()
    assert Workflow()(question="two") == "two"
    assert len(again.named("invoke_workflow Workflow")) == (2 if is_still_on else 1)
    DSPyInstrumentor().uninstrument()
    assert vars(Workflow)["__call__"] is original


def test_a_method_that_a_class_borrows_while_instrumented_is_one_call_and_works_afterwards(
    start_telemetry: StartTelemetry,
) -> None:
    recorded = start_telemetry()

    class Borrowing(Workflow):
        __call__ = dspy.Module.__call__
        acall = dspy.Module.acall

        async def aforward(self, question: str) -> str:
            return question

    assert Borrowing()(question="one") == "one"
    assert asyncio.run(Borrowing().acall(question="two")) == "two"
    assert recorded.tree() == "invoke_workflow Borrowing\ninvoke_workflow Borrowing"
    DSPyInstrumentor().uninstrument()
    assert Borrowing()(question="three") == "three"
    assert asyncio.run(Borrowing().acall(question="four")) == "four"
    assert len(recorded.spans) == 2


def test_a_method_that_was_deleted_in_the_meantime_does_not_come_back(start_telemetry: StartTelemetry) -> None:
    class Thinning(Workflow):
        def __call__(self, *values: Any, **options: Any) -> Any:
            return "called"

    start_telemetry()
    del Thinning.__call__
    DSPyInstrumentor().uninstrument()
    assert "__call__" not in vars(Thinning)


def test_a_class_of_the_application_is_not_kept_alive(start_telemetry: StartTelemetry) -> None:
    start_telemetry()

    def use_a_class() -> weakref.ref[type]:
        class Passing(dspy.Module):
            def __call__(self, question: str) -> Any:
                return super().__call__(question)

            def forward(self, question: str) -> str:
                return question

        assert Passing()("one") == "one"
        assert Passing.__call__ is Passing.__call__
        return weakref.ref(Passing)

    reference = use_a_class()
    gc.collect()
    assert reference() is None


def test_whether_a_method_was_overridden_can_still_be_asked(telemetry: Recorded) -> None:
    assert dspy.Predict.acall is not dspy.Module.acall
    assert dspy.ChainOfThought.acall is dspy.Module.acall
    assert dspy.LM.__call__ is dspy.BaseLM.__call__
    assert Workflow.__call__ is not dspy.Module.__call__
    assert dspy.Module.__call__(Workflow(), question="one") == "one"
    assert telemetry.tree() == "invoke_workflow Workflow"


class Refusing(type(dspy.Module)):  # type: ignore[misc]
    """Makes classes whose attributes cannot be set, as long as it is told so."""

    refuses = False

    def __setattr__(cls, name: str, value: Any) -> None:
        if cls.refuses and name == "__call__":
            raise TypeError(f"{name} is fixed")
        super().__setattr__(name, value)


class Fixed(dspy.Module, metaclass=Refusing):
    def __call__(self, question: str) -> Any:
        return question


@pytest.mark.complaints
def test_a_class_that_cannot_be_wrapped_works_and_keeps_no_other_from_being_recorded(
    start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Refusing, "refuses", True)
    telemetry = start_telemetry()

    class FixedToo(Fixed):
        def __call__(self, question: str) -> Any:
            return question

    assert (Fixed()("one"), FixedToo()("two"), Workflow()(question="three")) == ("one", "two", "three")
    assert telemetry.tree() == "invoke_workflow Workflow"
    [record] = caplog.records
    assert record.getMessage().startswith("ModuleRecorder failed; ")


@pytest.mark.complaints
def test_a_class_that_cannot_be_restored_keeps_no_other_from_being_restored(
    start_telemetry: StartTelemetry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = vars(dspy.Module)["__call__"]
    original = vars(Fixed)["__call__"]
    telemetry = start_telemetry()
    monkeypatch.setattr(Refusing, "refuses", True)
    DSPyInstrumentor().uninstrument()
    assert vars(dspy.Module)["__call__"] is before
    assert Fixed()("one") == "one"
    assert telemetry.tree() == ""
    assert len(caplog.records) == 1
    monkeypatch.undo()
    Fixed.__call__ = original  # type: ignore[method-assign]


def test_a_class_that_is_gone_leaves_nothing_in_the_patcher(telemetry: Recorded) -> None:
    patcher = DSPyInstrumentor()._patcher
    assert patcher is not None
    gc.collect()
    before = len(patcher._patches)

    def define_and_call() -> int:
        class Passing(dspy.Module):
            def __call__(self, question: str) -> str:
                return question

        Passing()("q")
        return len(patcher._patches)

    assert define_and_call() == before + 1
    telemetry.collector.clear()
    gc.collect()
    assert len(patcher._patches) == before
