"""What an exception keeps of what it is about is known, though no call was given it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import dspy
import jsonschema
import pydantic
import pytest

from opentelemetry.instrumentation.dspy.error_texts.held_values import values_held_by
from opentelemetry.instrumentation.dspy.errors import message_of

if TYPE_CHECKING:
    from collections.abc import Callable


class Order(pydantic.BaseModel):
    number: int


class UnreadableError(json.JSONDecodeError):
    """Cannot be asked for what it is about."""

    @property
    def doc(self) -> Any:  # type: ignore[override]
        raise RuntimeError

    @doc.setter
    def doc(self, value: Any) -> None:
        """Keep nothing."""


def raised_by(work: Callable[[], Any]) -> Exception:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - of any kind
        return error
    raise AssertionError("nothing was raised")


READING: dict[str, Callable[[], Any]] = {
    "json": lambda: json.loads("Quillon"),
    "bytes": lambda: b"Quillon \xff".decode(),
    "an encoding": lambda: "Quillon \udc80".encode(),
    "pydantic": lambda: Order(number="Quillon"),  # type: ignore[arg-type]
    "pydantic, deep": lambda: Order.model_validate({"name": ["Quillon"]}),
    "jsonschema": lambda: jsonschema.validate(["Quillon"], {"items": {"type": "integer"}}),
    "code": lambda: compile("x = Quillon Lane", "<string>", "exec"),
    "an adapter": lambda: dspy.ChatAdapter().parse(dspy.Signature("question -> number: int"), "Quillon"),
}


@pytest.mark.parametrize("chained", [True, False], ids=["chained", "in a handler"])
@pytest.mark.parametrize("kind", READING)
def test_what_could_not_be_read_is_not_told_by_who_quotes_it(kind: str, chained: bool) -> None:
    def work() -> None:
        try:
            READING[kind]()
        except Exception as error:
            failed = RuntimeError("no order in Quillon, which came from region 7")
            if chained:
                raise failed from error
            raise failed from None

    assert message_of(raised_by(work)) == "no order in …, which came from region 7"


def test_an_exception_that_cannot_be_asked_is_passed_over() -> None:
    error = UnreadableError("Expecting value", "Quillon", 0)
    error.__cause__ = json.JSONDecodeError("Expecting value", "Theodora", 0)
    assert values_held_by(error) == ["Theodora"]
    assert message_of(error) == "Expecting value: line 1 column 1 (char 0)"
