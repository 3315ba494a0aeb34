"""A version is another one when, and only when, another prompt is sent: for values of all kinds, saved and loaded."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import enum
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Optional

import dspy
import numpy
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opentelemetry.instrumentation.dspy.programs.prompts import prompt_version
from opentelemetry.instrumentation.dspy.programs.running_modules import RunningModule

if TYPE_CHECKING:
    from pathlib import Path


class Mood(enum.Enum):
    """How somebody is."""

    GOOD = "good"
    BAD = "bad"


class Place(pydantic.BaseModel):
    """Where something is."""

    name: str
    found: datetime.date | None = None
    inside: list[Place] = []


@dataclasses.dataclass
class Reading:
    """One that does not show all of itself."""

    unit: str
    values: list[Any] = dataclasses.field(default_factory=list, repr=False)


class Gauge:
    """One that nobody but ``str`` knows to write."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __str__(self) -> str:
        return f"gauge at {self.value}"


class Shouted(str):
    """A text that is equal to another and is written in capitals."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


class Open(pydantic.BaseModel):
    """A model that takes more than its fields, and writes what it computes."""

    model_config = pydantic.ConfigDict(extra="allow")
    _hidden: int = pydantic.PrivateAttr(default=0)

    @pydantic.computed_field
    def shown(self) -> int:
        """What is written of the hidden."""
        return self._hidden


PIXEL = "data:image/png;base64,iVBORw0KGgo="
TURNS = dspy.History(messages=[{"question": "Who?", "answer": "Ann"}])

VALUES: dict[str, tuple[Any, Any]] = {
    "text": (str, "a text with Ünicode"),
    "a list for a text": (str, ["one", "two"]),
    "int": (int, 7),
    "float": (float, 7.0),
    "bool": (bool, True),
    "none": (Optional[str], None),  # noqa: UP045 - as older programs write it
    "literal": (Literal["yes", "no"], "yes"),
    "enum": (Mood, Mood.GOOD),
    "date": (datetime.date, datetime.date(2026, 2, 28)),
    "datetime": (datetime.datetime, datetime.datetime(2026, 2, 28, 12, 30)),
    "model": (Place, Place(name="Rome", found=datetime.date(2026, 4, 21), inside=[Place(name="Forum")])),
    "models": (list[Place], [Place(name="Rome"), Place(name="Bonn", inside=[Place(name="Rhine")])]),
    "dict": (dict[str, Any], {"b": 1, "a": [True, None, {"c": 2.5}]}),
    "dict of models": (dict[str, Place], {"home": Place(name="Bonn")}),
    "tuple": (tuple[int, int], (1, 2)),
    "history": (dspy.History, TURNS),
    "image": (dspy.Image, dspy.Image(url=PIXEL)),
    "images": (list[dspy.Image], [dspy.Image(url=PIXEL)]),
}

ADAPTERS = {"chat": dspy.ChatAdapter, "json": dspy.JSONAdapter, "xml": dspy.XMLAdapter}


def predictor(kind: Any, value: Any, *, as_input: bool) -> dspy.Predict:
    given_field = (kind, dspy.InputField()) if as_input else (str, dspy.InputField())
    made_field = (str, dspy.OutputField()) if as_input else (kind, dspy.OutputField())
    made = dspy.Predict(dspy.Signature({"given": given_field, "made": made_field}, "Answer."))
    made.demos = [dspy.Example(given=value if as_input else "x", made="y" if as_input else value)]
    return made


def version(module: Any) -> str | None:
    return prompt_version(RunningModule.of(module, None, {}))


def prompt(module: Any, adapter: str) -> str:
    """What is sent of the template: the messages before the question of the call."""
    messages = ADAPTERS[adapter]().format(module.signature, module.demos, {})
    return json.dumps(messages, default=str, sort_keys=True)


def saved_and_loaded(module: dspy.Predict, folder: Path) -> dspy.Predict:
    path = folder / "program.json"
    module.save(str(path))
    loaded = dspy.Predict(module.signature)
    loaded.load(str(path))
    return loaded


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("as_input", [True, False], ids=["input", "output"])
@pytest.mark.parametrize("kind", VALUES)
def test_a_program_that_is_saved_and_loaded_has_the_version_of_its_prompt(
    tmp_path: Path, kind: str, as_input: bool, adapter: str
) -> None:
    if not as_input and kind in ("history", "image", "images"):
        return
    original = predictor(*VALUES[kind], as_input=as_input)
    try:
        loaded = saved_and_loaded(original, tmp_path)
    except Exception:  # noqa: BLE001 - what DSPy cannot save has no second version
        return
    assert version(original) is not None
    is_same = prompt(original, adapter) == prompt(loaded, adapter)
    assert (version(original) == version(loaded)) is is_same
    assert version(copy.deepcopy(original)) == version(original)


def test_what_the_model_does_not_see_makes_no_version() -> None:
    first = predictor(str, "x", as_input=True)
    second = predictor(str, "x", as_input=True)
    second.demos[0]["note"] = "for ourselves"
    second.demos.append(dspy.Example(given="alone"))
    second.demos.append(dspy.Example(made="alone"))
    assert prompt(first, "chat") == prompt(second, "chat")
    assert version(first) == version(second)


TEXTS = st.one_of(st.text(max_size=8), st.none())
DEMOS = st.lists(
    st.dictionaries(st.sampled_from(["given", "made", "extra"]), TEXTS, max_size=3).map(
        lambda values: dspy.Example(**values)
    ),
    max_size=3,
)


@given(first=DEMOS, second=DEMOS)
def test_two_sets_of_demonstrations_have_one_version_if_and_only_if_they_have_one_prompt(
    first: list[Any], second: list[Any]
) -> None:
    one, other = predictor(str, "x", as_input=True), predictor(str, "x", as_input=True)
    one.demos, other.demos = first, second
    same = prompt(one, "chat") == prompt(other, "chat")
    assert (version(one) == version(other)) is same


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        (1, True),
        (1, 1.0),
        ([1, 2], [1, 2.0]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("None", "none"),
        (numpy.arange(2000), numpy.arange(2000)[::-1].copy()),
        (Decimal("1.0"), Decimal("1.00")),
    ],
    ids=repr,
)
def test_values_that_are_equal_or_look_alike_and_are_written_in_another_way_are_another_version(
    value: Any, changed: Any
) -> None:
    module = predictor(Any, value, as_input=True)
    first, first_prompt = version(module), prompt(module, "chat")
    module.demos = [dspy.Example(given=changed, made="y")]
    assert (version(module) == first) is (prompt(module, "chat") == first_prompt)


def test_demonstrations_that_nobody_can_look_at_beforehand_have_no_version() -> None:
    module = predictor(str, "x", as_input=True)
    demos = (demo for demo in module.demos)
    assert prompt_version(RunningModule.of(module, None, {"demos": demos})) is None
    assert len(list(demos)) == 1
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    module.demos = [dspy.Example(given=deep, made="y")]
    assert version(module) is None
    doubled: list[Any] = []
    for _ in range(50):
        doubled = [doubled, doubled]
    module.demos = [dspy.Example(given=doubled, made="y")]
    assert version(module) is None
    module.demos = [dspy.Example(given=["x"] * 200_000, made="y")]
    assert version(module) is None
    module.demos = numpy.empty(1, dtype=object)
    module.demos[0] = dspy.Example(given="x", made="y")
    assert version(module) == version(predictor(str, "x", as_input=True))


def test_a_demonstration_that_contains_itself_has_a_version_which_changes_with_it() -> None:
    circular: list[Any] = ["a"]
    circular.append({"again": circular})
    module = predictor(Any, circular, as_input=True)
    first = version(module)
    assert first == version(module) is not None
    circular[0] = "b"
    assert version(module) not in (first, None)
    circular[0] = "a"
    assert version(module) == first


@pytest.mark.parametrize(
    ("value", "name", "changed"),
    [
        (Reading("K"), "values", [3]),
        (Gauge(1), "value", 2),
        (Open(note="a"), "note", "b"),
        (Open(), "_hidden", 5),
    ],
    ids=["dataclass", "object", "extra of a model", "private of a model"],
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value]], ids=["alone", "listed"])
def test_a_value_that_is_changed_in_place_is_another_version_whatever_it_shows_of_itself(
    value: Any, name: str, changed: Any, wrap: Any
) -> None:
    value = copy.deepcopy(value)
    module = predictor(Any, wrap(value), as_input=True)
    first, first_prompt = version(module), prompt(module, "chat")
    setattr(value, name, changed)
    assert (version(module) == first) is (prompt(module, "chat") == first_prompt)


def test_a_text_that_is_equal_and_written_in_another_way_is_another_version() -> None:
    module = predictor(str, "loud", as_input=True)
    first, first_prompt = version(module), prompt(module, "chat")
    module.demos = [dspy.Example(given=Shouted("loud"), made="y")]
    assert prompt(module, "chat") != first_prompt
    assert version(module) != first


def custom_type(text: str) -> Any:
    class Ticket(dspy.Type):
        """A type that tells the model what it is."""

        number: int = 0

        @classmethod
        def description(cls) -> str:
            return text

        def format(self) -> str:
            return "ticket"

    return Ticket


def mood(document: str | None) -> Any:
    made = enum.Enum("Mood", {"GOOD": "good", "BAD": "bad"})
    made.__doc__ = document
    return made


def signature(kind: Any, *, as_input: bool, **properties: Any) -> Any:
    fields = {
        "given": (kind if as_input else str, dspy.InputField(**(properties if as_input else {}))),
        "made": (str if as_input else kind, dspy.OutputField(**({} if as_input else properties))),
    }
    return dspy.Signature(fields, "Answer.")


@pytest.mark.parametrize("as_input", [True, False], ids=["input", "output"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((custom_type("A ticket."), {}), (custom_type("A ticket of ours."), {})),
        ((list[custom_type("One.")], {}), (list[custom_type("Two.")], {})),  # type: ignore[misc]
        ((mood("How one is."), {}), (mood("How somebody feels."), {})),
        ((str, {"desc": ""}), (str, {})),
        ((str, {"desc": "short"}), (str, {"desc": "short", "title": "Title"})),
        ((Optional[int], {}), (int | None, {})),  # noqa: UP045 - as older programs write it
        ((list[int], {}), (list[float], {})),
        ((Literal["a", "b"], {}), (Literal["b", "a"], {})),
    ],
    ids=["custom type", "custom types", "enum's docstring", "no description", "title", "optional", "list", "literal"],
)
def test_a_field_makes_another_version_if_and_only_if_it_is_written_in_another_way(
    first: tuple[Any, Any], second: tuple[Any, Any], as_input: bool
) -> None:
    one = dspy.Predict(signature(first[0], as_input=as_input, **first[1]))
    other = dspy.Predict(signature(second[0], as_input=as_input, **second[1]))
    assert (version(one) == version(other)) is (prompt(one, "chat") == prompt(other, "chat"))


def test_instructions_whose_lines_end_in_another_way_and_fields_told_in_another_order_are_one_version() -> None:
    given, made, asked = (str, dspy.InputField()), (str, dspy.OutputField()), (str, dspy.InputField())
    one = dspy.Predict(dspy.Signature({"given": given, "asked": asked, "made": made}, "Be good.\nBe brief."))
    other = dspy.Predict(dspy.Signature({"given": given, "made": made, "asked": asked}, "Be good.\r\nBe brief."))
    assert prompt(one, "chat") == prompt(other, "chat")
    assert version(one) == version(other)
