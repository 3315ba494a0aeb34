"""Any value anywhere in a program: it does what it does without the instrumentation, and each call has its span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from numbered_calls import NumberedModel
from odd_values import HOSTILE, Odd, hostile_values
from opentelemetry.trace import INVALID_SPAN, get_current_span
from sizes import IS_FULL, SIZE

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import StartTelemetry

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.complaints]
"""Of a value that raises when its class is asked for, telemetry may be lost; that is logged, and changes no program."""


class Handing(dspy.Module):
    """Takes a value and hands one out."""

    def forward(self, value: Any) -> Any:
        return value


class Holding(dspy.Module):
    """Holds a value as an attribute."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self) -> str:
        return "here"


class Failing(dspy.Module):
    """Raises an error that holds a value."""

    def forward(self, value: Any) -> Any:
        raise LookupError(value)


def tool(value: Any) -> Any:
    return value


def in_retriever(value: Any) -> Any:
    class Retriever(dspy.Retrieve):
        def forward(self, query: Any) -> Any:
            return value

    return Retriever()(value)


def in_evaluation(value: Any) -> Any:
    example = dspy.Example(value=1).with_inputs("value")
    evaluate = dspy.Evaluate(devset=[example], metric=lambda *_: value, num_threads=1, display_progress=False)
    return evaluate(Handing()).score


PLACES: dict[str, Callable[[Any], Any]] = {
    "argument and result": lambda value: Handing()(value),
    "named argument": lambda value: Handing()(value=value),
    "inside of a list": lambda value: Handing()([value, {"key": value}]),
    "attribute": lambda value: Holding(value)(),
    "error": lambda value: Failing()(value),
    "tool": lambda value: dspy.Tool(tool, name="tool", args={"value": {}}, arg_types={"value": Any})(value=value),
    "prediction": lambda value: Handing()(dspy.Prediction(answer=value)),
    "input of a predictor": lambda value: dspy.Predict("question -> answer")(question=f"number {len(repr(value))}"),
    "demonstration": lambda value: dspy.Predict("question -> answer")(question="number 1", demos=[value]),
    "option of a call": lambda value: dspy.Predict("question -> answer")(question="number 1", config={"n": value}),
    "embeddings": lambda value: dspy.Embedder(lambda texts: value, caching=False)(["Where?"]),
    "texts to embed": lambda value: dspy.Embedder(lambda texts: [[1.0]] * len(texts), caching=False)(value),
    "passages": in_retriever,
    "score": in_evaluation,
}


def outcome(program: Callable[[Any], Any], value: Any) -> tuple[str, Any]:
    """What a program comes to: the class of what it returned, whether it is the value itself, or its error."""
    try:
        result = program(value)
    except Exception as error:  # noqa: BLE001 - DSPy may refuse a value, with us and without us
        return "raised", (type(error).__name__, len(error.args))
    return "returned", (type(result).__name__, result is value)


@pytest.mark.parametrize("capture", ["SPAN_ONLY", ""] if IS_FULL else ["SPAN_ONLY"])
@pytest.mark.parametrize("place", PLACES)
def test_any_value(start_telemetry: StartTelemetry, place: str, capture: str, tell: Callable[..., None]) -> None:
    dspy.configure(lm=NumberedModel(model="numbered"))
    telemetry = start_telemetry(capture=capture)
    DSPyInstrumentor().uninstrument()
    tried: list[int] = []

    @settings(
        max_examples=SIZE.examples // 10, phases=[Phase.explicit, Phase.generate], suppress_health_check=[*HealthCheck]
    )
    @given(values=st.lists(hostile_values, min_size=12, max_size=12))
    @example(values=[Odd(make) for make in HOSTILE])
    def attack(values: list[Odd]) -> None:
        without = [outcome(PLACES[place], odd.make()) for odd in values]
        telemetry.collector.clear()
        DSPyInstrumentor().instrument(**telemetry.providers)
        try:
            assert [outcome(PLACES[place], odd.make()) for odd in values] == without
        finally:
            DSPyInstrumentor().uninstrument()
        assert telemetry.collector.open == []
        assert (current_call(), get_current_span()) == (NO_CALL, INVALID_SPAN)
        for span in telemetry.spans:
            for value in (span.attributes or {}).values():
                assert type(value) in (str, bool, int, float, tuple)
        tried.append(len(telemetry.spans))

    attack()
    assert min(tried) >= 1
    tell(f"{place}, {capture or 'no content'}", lists_of_values=len(tried), spans=sum(tried), spans_left_open=0)
