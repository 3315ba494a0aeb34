"""Copies of a prediction lead to the span that it came from, and are the copies that DSPy makes."""

from __future__ import annotations

import copy
import copyreg
import gc
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import cloudpickle
import dspy
import pytest
from dspy.primitives.prediction import Prediction
from dspy.utils import DummyLM

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, span_context_of, trace_id_of
from opentelemetry.instrumentation.dspy.programs import predictions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


class Copier:
    """A class of the application's that has nothing to do with DSPy, and says how its objects are copied."""

    def __copy__(self) -> Any:
        return "a copy of its own"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return "a deep copy of its own"


class CopiedByMixin(Prediction, Copier):  # type: ignore[misc]
    pass


class Frozen(Prediction, Copier):  # type: ignore[misc]
    """Both methods of the class behind it are switched off."""

    __copy__ = None
    __deepcopy__ = None


class Registered(Prediction):  # type: ignore[misc]
    pass


class Rebuilt(Prediction):  # type: ignore[misc]
    def __reduce__(self) -> Any:
        return Prediction, (), {"_store": {"answer": "rebuilt", "notes": self.notes}, "_completions": None}


class Stored(Prediction):  # type: ignore[misc]
    def __getstate__(self) -> Any:
        return {**vars(self), "_store": {"answer": "stored"}}


class Forwarding(Prediction):  # type: ignore[misc]
    """One that has an answer for whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        return (lambda *_: "forwarded") if name == "__deepcopy__" else super().__getattr__(name)


class Singleton(Prediction):  # type: ignore[misc]
    def __reduce__(self) -> str:
        return "SINGLETON"


OWN_WAYS = [Kept, CopiedByMixin, Frozen, Registered, Rebuilt, Stored, Forwarding, Singleton]


@pytest.fixture
def registered() -> Iterator[None]:
    copyreg.pickle(Registered, lambda prediction: (str, (f"registered {prediction.answer}",)))  # type: ignore[arg-type]
    yield
    del copyreg.dispatch_table[Registered]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("kind", OWN_WAYS)
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_a_class_that_copies_in_its_own_way_does(start_telemetry: StartTelemetry, how: Any, kind: type[Any]) -> None:
    start_telemetry()
    prediction = ask(kind)
    copied = how(prediction)
    DSPyInstrumentor().uninstrument()
    plain = how(prediction)
    assert type(copied) is type(plain)
    assert (copied is prediction) == (plain is prediction)
    assert copied == plain


@pytest.mark.parametrize("instrumented", [True, False], ids=["on", "off"])
def test_a_prediction_has_no_method_more_that_a_program_could_find(
    start_telemetry: StartTelemetry, instrumented: bool
) -> None:
    start_telemetry()
    prediction = Prediction(answer="here")
    if not instrumented:
        DSPyInstrumentor().uninstrument()
    assert not hasattr(Prediction, "__deepcopy__")
    assert not hasattr(prediction, "__deepcopy__")
    with pytest.raises(AttributeError):
        _ = CopiedByMixin.missing
    assert CopiedByMixin.__copy__ is Copier.__copy__
    assert CopiedByMixin.__deepcopy__ is Copier.__deepcopy__


def deepest(predictions: list[Any]) -> int:
    """How many predictions can lie in each other and be copied; each of these holds the one before it."""
    lowest, highest = 0, len(predictions)
    while highest - lowest > 1:
        middle = (lowest + highest) // 2
        try:
            copy.deepcopy(predictions[middle])
            lowest = middle
        except RecursionError:
            highest = middle
    return lowest


def test_predictions_that_lie_in_each_other_are_copied_as_deep_as_without_us(start_telemetry: StartTelemetry) -> None:
    class Nesting(dspy.Module):  # type: ignore[misc]
        def forward(self, inner: Any) -> Any:
            return Prediction(inner=inner)

    start_telemetry()
    nesting, predictions = Nesting(), [Prediction()]
    for _ in range(250):
        predictions.append(nesting(inner=predictions[-1]))
    assert None not in map(span_context_of, predictions[1:])
    depth = deepest(predictions)
    copied = copy.deepcopy(predictions[2])
    assert span_context_of(copied.inner) == span_context_of(predictions[1])
    DSPyInstrumentor().uninstrument()
    assert depth == deepest(predictions)
    assert 20 < depth < 249


LOADER = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("opentelemetry", "wrapt"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import copy, pickle

with open(sys.argv[1], "rb") as file:
    Prediction = pickle.load(file)
prediction = Prediction(answer="here")
print(prediction.answer, copy.copy(prediction).answer, copy.deepcopy(prediction).answer, prediction.copy().answer)
"""


@pytest.mark.parametrize("kind", [Prediction, Scored])
def test_a_class_that_is_saved_by_value_is_loaded_where_we_are_not(
    telemetry: Recorded, kind: type[Any], tmp_path: Path
) -> None:
    modules = {sys.modules[each.__module__] for each in (Prediction, kind)}
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        (tmp_path / "class.pkl").write_bytes(cloudpickle.dumps(kind))
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    ended = subprocess.run(
        [sys.executable, "-c", LOADER, tmp_path / "class.pkl"], capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == ("here here here here\n", "")


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
