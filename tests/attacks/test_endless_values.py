"""Values without an end: the program does what it does without the library, in no more than a moment of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from endless_values import ENDLESS
from numbered_calls import NumberedModel
from opentelemetry.trace import INVALID_SPAN, get_current_span
from walked_places import PLACES, WRITTEN_BY_DSPY

from opentelemetry.instrumentation.dspy import BudgetExceededError, DSPyInstrumentor, usage_scope
from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry
    from recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore")
"""Without a mark for complaints: no walk may end in an error of the library's, not even in a logged one."""

CAPTURES = ("SPAN_AND_EVENT", "")
LONGEST = 1_000_000
"""Characters that no attribute has: a quarter of that is left to the content of a span, and JSON stands around it."""

MANY = 20_000
"""More than Python's calls may be nested, in any version."""


def outcome(program: Callable[[Any], Any], value: Any) -> tuple[str, Any]:
    """What a program comes to: the class of what it returned, and whether it is the value itself, or its error."""
    try:
        result = program(value)
    except Exception as error:  # noqa: BLE001 - DSPy may refuse a value, with us and without us
        return "raised", type(error).__name__
    return "returned", (type(result).__name__, result is value)


def shapes_of(place: str) -> list[str]:
    left_out = WRITTEN_BY_DSPY.get(place, ())
    return [shape for shape in ENDLESS if not shape.startswith(left_out or "none of them")]


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("place", PLACES)
def test_a_value_without_an_end(start_telemetry: StartTelemetry, place: str, capture: str) -> None:
    program = PLACES[place]
    dspy.configure(lm=NumberedModel(model="numbered"))
    telemetry = start_telemetry(capture=capture)
    usual = names_after(telemetry, program, ["item"])
    DSPyInstrumentor().uninstrument()
    without = {shape: outcome(program, ENDLESS[shape]()) for shape in shapes_of(place)}
    DSPyInstrumentor().instrument(**telemetry.providers)
    for shape in shapes_of(place):
        telemetry.collector.clear()
        assert (shape, outcome(program, ENDLESS[shape]())) == (shape, without[shape])
        assert telemetry.collector.open == []
        assert (current_call(), get_current_span()) == (NO_CALL, INVALID_SPAN)
        assert_spans_are_as_usual(telemetry, place, shape, usual, failed=without[shape][0] == "raised")


def assert_spans_are_as_usual(telemetry: Recorded, place: str, shape: str, usual: list[str], *, failed: bool) -> None:
    """None is missing, of a program that failed at least the outermost; what each says has an end."""
    names = [span.name for span in telemetry.spans]
    if place == "attributes of a retriever":
        # A retriever is called by the name that is found in it.
        assert [name.partition(" ")[0] for name in names] == usual
    elif failed:
        assert (shape, names[0]) == (shape, usual[0])
    else:
        assert (shape, names) == (shape, usual)
    for span in telemetry.spans if place != "attributes of spans" else ():
        for value in (span.attributes or {}).values():
            assert not isinstance(value, str) or len(value) < LONGEST


def names_after(telemetry: Recorded, program: Callable[[Any], Any], value: Any) -> list[str]:
    """The names of the spans of a program with a value that has an end."""
    outcome(program, value)
    names = [span.name for span in telemetry.spans]
    telemetry.clear()
    return names


class Raising(dspy.Module):
    """Raises what it is given."""

    def forward(self, error: list[BaseException]) -> None:
        raise error[0]


def in_a_circle(*, explicit: bool) -> BaseException:
    errors = [LookupError(f"error {number}") for number in range(3)]
    for error, cause in zip(errors, [*errors[1:], errors[0]], strict=True):
        error.__cause__, error.__context__ = (cause, None) if explicit else (None, cause)
    return errors[0]


def long_chain(*, explicit: bool) -> BaseException:
    error = LookupError("error 0")
    for number in range(1, MANY):
        inner, error = error, LookupError(f"error {number}")
        error.__cause__, error.__context__ = (inner, None) if explicit else (None, inner)
    return error


class PretendingError(LookupError):
    """Says of itself that it has causes without an end."""

    @property
    def __context__(self) -> Any:  # type: ignore[override]
        return PretendingError()

    @property
    def exceptions(self) -> Any:
        return (PretendingError(), PretendingError())

    def derive(self, parts: Any) -> Any:
        return self


def deep_group() -> BaseException:
    error: Exception = LookupError("innermost")
    for _ in range(MANY):
        error = ExceptionGroup("group", [error])  # noqa: F821
    return error


def doubled_group() -> BaseException:
    error: Exception = LookupError("innermost")
    for _ in range(50):
        error = ExceptionGroup("group", [error, error])  # noqa: F821
    return error


CHAINS: dict[str, Callable[[], BaseException]] = {
    "causes in a circle": lambda: in_a_circle(explicit=True),
    "contexts in a circle": lambda: in_a_circle(explicit=False),
    "many causes": lambda: long_chain(explicit=True),
    "many contexts": lambda: long_chain(explicit=False),
    "pretended causes": PretendingError,
}
if sys.version_info >= (3, 11):
    CHAINS |= {"deep groups": deep_group, "doubled groups": doubled_group}


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("chain", CHAINS)
def test_errors_without_an_end(start_telemetry: StartTelemetry, chain: str, capture: str) -> None:
    telemetry, error = start_telemetry(capture=capture), CHAINS[chain]()
    with pytest.raises(type(error)) as caught:
        Raising()([error])
    assert caught.value is error
    span = telemetry.span("invoke_workflow Raising")
    assert str((span.attributes or {})["error.type"]).endswith(type(error).__name__)
    [event] = span.events
    assert event.name == "exception"


@pytest.mark.parametrize("chain", CHAINS)
def test_errors_without_an_end_leave_a_block_with_bounds(start_telemetry: StartTelemetry, chain: str) -> None:
    start_telemetry()
    error = CHAINS[chain]()
    with pytest.raises(type(error)) as caught, usage_scope(max_calls=1):
        raise error
    assert caught.value is error


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python has exception groups from 3.11 on")
def test_the_stop_of_a_budget_in_deep_groups_comes_out_as_the_ordinary_error(start_telemetry: StartTelemetry) -> None:
    start_telemetry()
    dspy.configure(lm=NumberedModel(model="numbered"))

    def stopped() -> None:
        try:
            dspy.Predict("question -> answer")(question="number 1")
        except BaseException as stop:  # noqa: BLE001 - the stop of a budget is no ordinary one
            error: BaseException = stop
        for _ in range(MANY):
            error = BaseExceptionGroup("group", [error, error])  # noqa: F821
        raise error

    with pytest.raises(BudgetExceededError), usage_scope(max_calls=0):
        stopped()
