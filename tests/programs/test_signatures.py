"""What a signature is called and how it reads."""

from __future__ import annotations

import gc
from collections.abc import Callable  # noqa: TC003 - signatures read their annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal

import dspy
import pytest

from opentelemetry.instrumentation.dspy.programs import signatures
from opentelemetry.instrumentation.dspy.programs.signatures import describe, describe_answer

if TYPE_CHECKING:
    from recorded import Recorded


class JudgeAnswer(dspy.Signature):
    """Judge the answer."""

    question: str = dspy.InputField()
    answer: str = dspy.InputField()
    score: float = dspy.OutputField()


@pytest.mark.parametrize(
    ("text", "fields", "label"),
    [
        ("question -> answer", "question -> answer", "question -> answer"),
        ("question,context->answer", "question, context -> answer", "question, context -> answer"),
        ("text: str -> score: float, ok: bool", "text -> score: float, ok: bool", "text -> score, ok"),
        ("texts: list[str] -> counts: dict[str, int]", "texts: list[str] -> counts: dict[str, int]", "texts -> counts"),
        ("text -> label: Literal['a', 'b']", "text -> label: Literal['a', 'b']", "text -> label"),
        ("text: Optional[str] -> n: int", "text: str | None -> n: int", "text -> n"),
    ],
)
def test_a_signature_in_text_form_reads_as_it_was_written(text: str, fields: str, label: str) -> None:
    description = describe(dspy.Signature(text))
    assert (description.name, description.fields, description.label) == (None, fields, label)


def test_a_named_signature_is_called_by_its_name() -> None:
    description = describe(JudgeAnswer)
    assert (description.name, description.label) == ("JudgeAnswer", "JudgeAnswer")
    assert description.fields == "question, answer -> score: float"


def test_a_label_has_eighty_characters_at_most() -> None:
    just_fits = "a" * 38 + " -> " + "b" * 38
    assert describe(dspy.Signature(just_fits)).label == just_fits
    label = describe(dspy.Signature(just_fits + "c")).label
    assert label == just_fits[:79] + "…"
    assert len(label) == 80


def test_the_reasoning_of_a_chain_of_thought_is_not_part_of_its_answer() -> None:
    program = dspy.ChainOfThought("question -> answer")
    assert describe(program.predict.signature).label == "question -> reasoning, answer"
    description = describe_answer(program.predict.signature)
    assert (description.label, description.fields) == ("question -> answer", "question -> answer")


def test_a_signature_made_by_an_application_without_text_form_has_the_name_it_was_given() -> None:
    made = dspy.Signature({"text": (str, dspy.InputField()), "tone": (str, dspy.OutputField())}, signature_name="Tone")
    assert describe(made).name == "Tone"


@pytest.mark.parametrize(
    "derive",
    [
        lambda: JudgeAnswer.with_instructions("Be strict."),
        lambda: JudgeAnswer.with_updated_fields("score", desc="between 0 and 1"),
        lambda: JudgeAnswer.append("reason", dspy.OutputField(), str),
        lambda: JudgeAnswer.prepend("context", dspy.InputField(), str),
        lambda: JudgeAnswer.insert(0, "context", dspy.InputField(), str),
        lambda: JudgeAnswer.delete("question"),
        lambda: JudgeAnswer.load_state(JudgeAnswer.dump_state()),
        lambda: dspy.ChainOfThought(JudgeAnswer).predict.signature,
        lambda: JudgeAnswer.with_instructions("Be strict.").append("reason", dspy.OutputField(), str),
    ],
    ids=["instructions", "fields", "append", "prepend", "insert", "delete", "load", "reasoning", "twice"],
)
def test_what_dspy_derives_from_a_named_signature_keeps_its_name(derive: Any, telemetry: Recorded) -> None:
    assert describe(derive()).name == "JudgeAnswer"


def test_what_is_derived_from_a_text_form_has_no_name(telemetry: Recorded) -> None:
    derived = dspy.Signature("question -> answer").with_instructions("Be brief.")
    assert describe(derived).name is None


def test_a_program_loaded_from_a_file_still_has_named_signatures(telemetry: Recorded, tmp_path: Any) -> None:
    program = dspy.ChainOfThought(JudgeAnswer)
    program.predict.signature = program.predict.signature.with_instructions("Be strict.")
    program.save(tmp_path / "program.json")
    loaded = dspy.ChainOfThought(JudgeAnswer)
    loaded.load(tmp_path / "program.json")
    assert loaded.predict.signature.instructions == "Be strict."
    assert describe(loaded.predict.signature).name == "JudgeAnswer"


def test_a_description_is_worked_out_once_and_goes_with_its_signature() -> None:
    gc.collect()
    signature = dspy.Signature("question -> answer")
    assert describe(signature) is describe(signature)
    kept = len(signatures._descriptions)
    del signature
    gc.collect()
    assert len(signatures._descriptions) == kept - 1


Colour = Literal["red", "green"]


def test_types_are_written_as_in_the_program() -> None:
    class Paint(dspy.Signature):
        image: dspy.Image = dspy.InputField()
        colours: list[Colour] = dspy.OutputField()
        note: str | None = dspy.OutputField()
        sizes: tuple[int, ...] = dspy.OutputField()
        judge: dict[str, JudgeAnswer] = dspy.OutputField()
        anything: Any = dspy.OutputField()
        limited: Annotated[int, "up to ten"] = dspy.OutputField()
        call: Callable[[int], str] = dspy.OutputField()

    assert describe(Paint).fields == (
        "image: Image -> colours: list[Literal['red', 'green']], note: str | None, sizes: tuple[int, ...], "
        "judge: dict[str, JudgeAnswer], anything: Any, limited: int, call: Callable[[int], str]"
    )
