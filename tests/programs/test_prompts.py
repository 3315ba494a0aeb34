"""The prompt's version changes when, and only when, the template does; its name says where the predictor stands."""

from __future__ import annotations

import copy
import enum
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Literal

import dspy
import numpy
import pydantic
import pytest

from opentelemetry.instrumentation.dspy.programs.prompts import prompt_name, prompt_version
from opentelemetry.instrumentation.dspy.programs.running_modules import RunningModule

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server import ModelServer
    from recorded import Recorded

QUESTION = "question -> answer"

PROGRAM = """
import dspy
from typing import Literal
from opentelemetry.instrumentation.dspy.programs.running_modules import RunningModule
from opentelemetry.instrumentation.dspy.programs.prompts import prompt_version

class Verdict(dspy.Signature):
    '''Judge the answer.'''
    answer: str = dspy.InputField(desc="what was said")
    verdict: Literal["good", "bad"] = dspy.OutputField()
    marks: dict[str, float] = dspy.OutputField()

predictor = dspy.Predict(Verdict)
predictor.demos = [dspy.Example(answer="42", verdict="good", marks={"depth": 0.5})]
print(prompt_version(RunningModule.of(predictor, None, {})))
"""


def version(predictor: dspy.Predict, **arguments: Any) -> str:
    return prompt_version(RunningModule.of(predictor, None, arguments))


def version_of(signature: Any) -> str:
    return version(dspy.Predict(signature))


class Address(pydantic.BaseModel):
    street: str


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


def test_a_version_has_twelve_hexadecimal_digits_and_is_the_same_each_time() -> None:
    predictor = dspy.Predict(QUESTION)
    first = version(predictor)
    assert len(first) == 12
    assert int(first, 16) >= 0
    assert version(predictor) == first == version_of(QUESTION) == version(copy.deepcopy(predictor))


def test_a_version_is_the_same_in_every_process() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    names: dict[str, Any] = {"__name__": "a_module_of_another_name"}
    exec(compile(PROGRAM.replace("print(", "result = ("), "program", "exec", dont_inherit=True), names)
    assert ended.stdout.strip() == names["result"]


def with_field(name: str, **changes: Any) -> Any:
    return dspy.Signature(QUESTION).with_updated_fields(name, **changes)


CHANGES: dict[str, Callable[[], Any]] = {
    "instructions": lambda: dspy.Signature(QUESTION, "Answer briefly."),
    "other instructions": lambda: dspy.Signature(QUESTION, "Answer at length."),
    "description of an input": lambda: with_field("question", desc="from a customer"),
    "description of an output": lambda: with_field("answer", desc="two words"),
    "another input": lambda: dspy.Signature("question, context -> answer", dspy.Signature(QUESTION).instructions),
    "another output": lambda: dspy.Signature("question -> context, answer", dspy.Signature(QUESTION).instructions),
    "another name": lambda: dspy.Signature("question -> reply", dspy.Signature(QUESTION).instructions),
    "another order": lambda: dspy.Signature("context, question -> answer", dspy.Signature(QUESTION).instructions),
    "type int": lambda: dspy.Signature("question -> answer: int", dspy.Signature(QUESTION).instructions),
    "type list": lambda: dspy.Signature("question -> answer: list[str]", dspy.Signature(QUESTION).instructions),
    "type literal": lambda: with_field("answer", type_=Literal["yes", "no"]),
    "type other literal": lambda: with_field("answer", type_=Literal["yes", "no", "perhaps"]),
    "type model": lambda: with_field("answer", type_=Address),
    "type enum": lambda: with_field("answer", type_=Mood),
}


def test_every_change_of_instructions_and_fields_makes_another_version() -> None:
    versions = {"none": version_of(QUESTION), **{name: version_of(change()) for name, change in CHANGES.items()}}
    assert len(set(versions.values())) == len(versions), versions


def test_a_field_that_changes_sides_makes_another_version() -> None:
    assert version_of(dspy.Signature("a, b -> c", "Do it.")) != version_of(dspy.Signature("a -> b, c", "Do it."))


def test_a_change_inside_of_a_fields_type_makes_another_version() -> None:
    first = pydantic.create_model("Model", street=(str, ...))
    second = pydantic.create_model("Model", street=(str, ...), town=(str, ...))
    again = pydantic.create_model("Model", street=(str, ...))
    one, two, three = (
        version_of(with_field("answer", type_=list[model]))  # type: ignore[valid-type]
        for model in (first, second, again)
    )
    assert one != two
    assert one == three


@pytest.mark.parametrize(
    ("types", "in_another_order"),
    [
        (Literal["good", "bad"], Literal["bad", "good"]),
        (list[Literal["good", "bad"]], list[Literal["bad", "good"]]),
        (int | str, str | int),
    ],
    ids=["literal", "list of literals", "union"],
)
def test_types_that_are_equal_and_written_otherwise_make_another_version(types: Any, in_another_order: Any) -> None:
    predictor, other = (
        dspy.Predict(dspy.Signature({"question": (str, dspy.InputField()), "answer": (each, dspy.OutputField())}))
        for each in (types, in_another_order)
    )
    before = version(predictor)
    predictor.signature = other.signature
    assert types == in_another_order
    assert version(predictor) == version(other) != before


class Incomparable(type):
    """The class of classes that nobody may compare."""

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("not comparable")

    __hash__ = type.__hash__


def test_what_cannot_be_compared_has_a_version_all_the_same() -> None:
    class Apple(metaclass=Incomparable):
        """A type of a field."""

    class Pear(metaclass=Incomparable):
        """Another one."""

    predictor = dspy.Predict(QUESTION)
    answer = predictor.signature.model_fields["answer"]
    versions = [version(predictor)]
    for kind in (Apple, Pear):
        answer.annotation = kind
        versions += [version(predictor), version(predictor)]
    assert None not in versions
    assert len({*versions}) == 3


def test_what_stands_beside_a_field_and_in_no_prompt_makes_no_other_version() -> None:
    predictor = dspy.Predict(QUESTION)
    extra = predictor.signature.model_fields["answer"].json_schema_extra
    before = version(predictor)
    for weights in (numpy.arange(3), numpy.arange(3), numpy.arange(4)):
        extra["weights"] = weights
        assert version(predictor) == before
    extra["desc"] = "in one word"
    assert version(predictor) not in {before, None}


def test_a_limit_on_a_field_makes_another_version() -> None:
    class Limited(dspy.Signature):
        """Rate."""

        text: str = dspy.InputField()
        stars: int = dspy.OutputField(ge=1, le=5)

    class Unlimited(dspy.Signature):
        """Rate."""

        text: str = dspy.InputField()
        stars: int = dspy.OutputField()

    assert version_of(Limited) != version_of(Unlimited)


def demo(**values: Any) -> dspy.Example:
    return dspy.Example(**{"question": "1 + 1?", "answer": "2", **values})


def test_instructions_that_are_merely_indented_otherwise_have_the_same_version() -> None:
    class Indented(dspy.Signature):
        """Answer.

        Be brief."""

        question: str = dspy.InputField()
        answer: str = dspy.OutputField()

    assert version_of(Indented) == version_of(dspy.Signature(QUESTION, "Answer.\n\nBe brief."))


def test_demonstrations_that_are_appended_replaced_or_changed_in_place_make_another_version() -> None:
    predictor = dspy.Predict(QUESTION)
    versions = [version(predictor)]
    predictor.demos = [demo()]
    versions.append(version(predictor))
    predictor.demos.append(demo(question="2 + 2?", answer="4"))
    versions.append(version(predictor))
    predictor.demos[1] = demo(question="3 + 3?", answer="6")
    versions.append(version(predictor))
    predictor.demos[1]["answer"] = "six"
    versions.append(version(predictor))
    predictor.demos.reverse()
    versions.append(version(predictor))
    del predictor.demos[0]["answer"]
    versions.append(version(predictor))
    # What has no output is not shown to the model: all that it sees is the first demonstration again.
    assert versions[-1] == versions[1]
    assert len(set(versions)) == 6
    predictor.demos.clear()
    assert version(predictor) == versions[0]


def test_a_value_of_a_demonstration_that_is_changed_in_place_makes_another_version() -> None:
    predictor = dspy.Predict("question -> answer: list[str]")
    predictor.demos = [demo(answer=["one"])]
    first = version(predictor)
    predictor.demos[0]["answer"].append("two")
    second = version(predictor)
    assert first != second
    predictor.demos[0]["answer"].pop()
    assert version(predictor) == first


@pytest.mark.parametrize(
    "other",
    [
        [{"question": "1 + 1?", "answer": "2"}],
        (demo(),),
        [demo().with_inputs("question")],
        [demo(rationale="not a field", augmented=True)],
        [dspy.Prediction(question="1 + 1?", answer="2")],
        [pickle.loads(pickle.dumps(demo()))],
    ],
    ids=["mapping", "tuple", "inputs marked", "more than the fields", "prediction", "unpickled"],
)
def test_demonstrations_that_read_the_same_have_the_same_version(other: Any) -> None:
    predictor, same = dspy.Predict(QUESTION), dspy.Predict(QUESTION)
    predictor.demos, same.demos = [demo()], other
    assert version(predictor) == version(same)


def test_images_of_one_size_in_demonstrations_make_versions_of_their_own() -> None:
    predictor = dspy.Predict("picture: dspy.Image -> answer")
    versions = set()
    for picture in ("AAAA", "BBBB"):
        predictor.demos = [dspy.Example(picture=dspy.Image(url=f"data:image/png;base64,{picture}"), answer="2")]
        versions.add(version(predictor))
    assert len(versions) == 2


def test_inputs_settings_and_language_model_make_no_other_version() -> None:
    predictor = dspy.Predict(QUESTION)
    first = version(predictor)
    predictor.config = {"temperature": 0.7}
    predictor.lm = dspy.LM("openai/gpt-4o-mini", api_key="test-key")
    predictor.traces = [1]
    assert version(predictor, question="1 + 1?", config={"n": 2}) == first


def test_signature_and_demonstrations_of_one_call_come_before_those_of_the_predictor() -> None:
    predictor, other = dspy.Predict(QUESTION), dspy.Predict("text -> summary")
    other.demos = [dspy.Example(text="long", summary="short")]
    assert version(predictor, signature=other.signature, demos=other.demos) == version(other)
    assert version(predictor, signature="text -> summary", demos=other.demos) == version(other)


def test_a_predictor_in_a_program_is_called_by_program_and_path() -> None:
    class Desk(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspy.ChainOfThought(QUESTION)

    desk = Desk()
    outer = RunningModule.of(desk, None, {})
    thought = RunningModule.of(desk.answer, outer, {})
    assert prompt_name(RunningModule.of(desk.answer.predict, thought, {})) == "Desk.answer.predict"


def test_a_bare_predictor_is_called_by_its_signature() -> None:
    class Judge(dspy.Signature):
        answer: str = dspy.InputField()
        verdict: str = dspy.OutputField()

    assert prompt_name(RunningModule.of(dspy.Predict(Judge), None, {})) == "Judge"
    assert prompt_name(RunningModule.of(dspy.Predict(QUESTION), None, {})) == QUESTION


def test_the_span_has_the_version_of_the_prompt_that_was_sent(
    telemetry: Recorded, model_server: ModelServer, lm: dspy.LM
) -> None:
    predictor = dspy.Predict(QUESTION)
    predictor(question="one")
    predictor(question="two")
    predictor.demos.append(demo())
    predictor(question="two")
    first, second, third = telemetry.named("chat gpt-4o-mini")
    assert first.attributes["gen_ai.prompt.name"] == QUESTION  # type: ignore[index]
    versions = [span.attributes["gen_ai.prompt.version"] for span in (first, second, third)]  # type: ignore[index]
    assert versions[0] == versions[1] != versions[2]
    assert versions[2] == version(predictor)
