"""Copies of a prediction lead to the span that it came from, and are the copies that DSPy makes."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import TYPE_CHECKING, Any

import cloudpickle
import dspy
import pytest
from dspy.primitives.prediction import Prediction
from dspy.utils import DummyLM

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, span_context_of, trace_id_of
from opentelemetry.instrumentation.dspy.programs import predictions

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from recorded import Recorded


class Scored(Prediction):  # type: ignore[misc]
    """A prediction of the application's."""

    def __init__(self, *arguments: Any, **fields: Any) -> None:
        super().__init__(*arguments, **fields)
        self._checked = True


class Kept(Prediction):  # type: ignore[misc]
    """One that copies in its own way."""

    def __copy__(self) -> Kept:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Kept:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Kept, (), {"_store": {"answer": "rebuilt"}}


class Desk(dspy.Module):  # type: ignore[misc]
    def __init__(self, kind: type[Any] = Prediction) -> None:
        super().__init__()
        self.kind = kind
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        answer = self.answer(question=question)
        return self.kind(answer=answer.answer, notes=["one", ["two"]])


def ask(kind: type[Any] = Prediction) -> Any:
    with dspy.context(lm=DummyLM([{"answer": "here"}] * 5)):
        return Desk(kind)(question="Where?")


COPIES = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "copy()": lambda prediction: prediction.copy(),
    "copy() with fields": lambda prediction: prediction.copy(answer="there"),
    "without()": lambda prediction: prediction.without("notes"),
    "constructor": lambda prediction: type(prediction)(prediction),
    "constructor, by name": lambda prediction: type(prediction)(base=prediction, more=1),
    "of a copy": lambda prediction: copy.deepcopy(prediction.copy()),
    "in a list": lambda prediction: copy.deepcopy([prediction])[0],
}


@pytest.mark.parametrize("kind", [Prediction, Scored])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_leads_to_the_span_of_its_prediction(telemetry: Recorded, how: str, kind: type[Any]) -> None:
    prediction = ask(kind)
    copied = COPIES[how](prediction)
    assert copied is not prediction
    assert type(copied) is kind
    assert span_context_of(copied) == telemetry.span("invoke_workflow Desk").context
    assert trace_id_of(copied) == f"{telemetry.span('invoke_workflow Desk').context.trace_id:032x}"


def state(prediction: Any) -> dict[str, Any]:
    return dict(vars(prediction))


@pytest.mark.parametrize("kind", [Prediction, Scored])
@pytest.mark.parametrize("how", COPIES)
def test_the_copy_is_the_one_that_dspy_makes(start_telemetry: StartTelemetry, how: str, kind: type[Any]) -> None:
    start_telemetry()
    prediction = ask(kind)
    copied = COPIES[how](prediction)
    shares = copied.get("notes") is prediction.get("notes")
    DSPyInstrumentor().uninstrument()
    plain = COPIES[how](prediction)
    assert state(copied) == state(plain)
    assert shares == (plain.get("notes") is prediction.get("notes"))
    assert pickle.dumps(copied) == pickle.dumps(plain)


def test_a_prediction_that_holds_itself_is_copied_once(telemetry: Recorded) -> None:
    prediction = ask()
    prediction.itself = prediction
    copied = copy.deepcopy(prediction)
    assert copied.itself is copied
    assert span_context_of(copied) == span_context_of(prediction)


def test_a_class_that_copies_in_its_own_way_does(telemetry: Recorded) -> None:
    prediction = ask(Kept)
    assert copy.copy(prediction) is copy.deepcopy(prediction) is prediction
    assert pickle.loads(pickle.dumps(prediction)).answer == "rebuilt"


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_a_pickle_is_what_it_is_without_us_and_knows_no_span(start_telemetry: StartTelemetry, pickler: Any) -> None:
    start_telemetry()
    prediction = ask()
    written = pickler.dumps(prediction)
    loaded = pickle.loads(written)
    assert (loaded.answer, span_context_of(loaded)) == ("here", None)
    DSPyInstrumentor().uninstrument()
    assert pickler.dumps(prediction) == written


def test_what_is_made_of_fields_alone_knows_no_span(telemetry: Recorded) -> None:
    prediction = ask()
    made = (Prediction(**prediction.toDict()), Prediction(prediction.toDict()), Prediction.from_completions([{"a": 1}]))
    assert [span_context_of(each) for each in made] == [None] * 3
    assert span_context_of(prediction.toDict()) is None


def test_copies_are_not_kept_alive(telemetry: Recorded) -> None:
    prediction = ask()
    gc.collect()
    known = len(predictions._origins)
    copies = [copy.deepcopy(prediction) for _ in range(10)]
    assert len(predictions._origins) == known + 10
    copies.clear()
    gc.collect()
    assert len(predictions._origins) == known


def test_the_class_is_left_as_it_was(start_telemetry: StartTelemetry) -> None:
    before = dict(vars(Prediction))
    start_telemetry()
    assert vars(Prediction)["__init__"] is not before["__init__"]
    DSPyInstrumentor().uninstrument()
    assert dict(vars(Prediction)) == before
    assert vars(Prediction)["__init__"] is before["__init__"]
    assert not {"__copy__", "__deepcopy__"} & set(vars(Prediction))
