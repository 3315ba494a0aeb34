"""What a span tells of the exception that ended its call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError
from opentelemetry.trace import StatusCode

from opentelemetry.instrumentation.dspy.errors import message_of

if TYPE_CHECKING:
    from recorded import Recorded


def parse_error(reply: Any) -> AdapterParseError:
    return AdapterParseError("ChatAdapter", dspy.Signature("question -> answer"), reply)


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_message_is_the_exceptions_own() -> None:
    assert message_of(ValueError("no parcel")) == "no parcel"
    assert message_of(KeyboardInterrupt()) == ""


def test_the_reply_of_the_model_is_no_part_of_a_message() -> None:
    error = parse_error("Ann lives here")
    assert "Ann lives here" in str(error)
    assert message_of(error) == str(error).replace("Ann lives here", "[14 characters]")


@pytest.mark.parametrize("chained", [True, False], ids=["cause", "context"])
def test_the_reply_is_not_in_the_messages_of_exceptions_that_followed(chained: bool) -> None:
    error = parse_error("Ann lives here")
    followed = RuntimeError(f"Both formats failed. Original error: {error}")
    followed.__cause__, followed.__context__ = (error, None) if chained else (None, error)
    assert "Ann" not in message_of(followed)
    assert message_of(followed).startswith("Both formats failed. Original error: ")


def test_a_reply_that_is_no_text_changes_nothing() -> None:
    assert message_of(parse_error(None)) == str(parse_error(None))
    assert message_of(parse_error("")) == str(parse_error(""))


def test_a_message_is_bounded_and_can_be_encoded() -> None:
    assert message_of(ValueError("x" * 5000)) == "x" * 4096 + "… [904 more characters]"
    assert message_of(ValueError("half a \ud83d")) == "half a ?"


def test_exceptions_that_lead_to_each_other_come_to_an_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    assert message_of(first) == "first"


@pytest.mark.parametrize("module", [None, 5])
def test_an_exception_of_no_module_has_its_message(module: Any) -> None:
    kind: Any = type("RowError", (LookupError,), {"__module__": module})
    assert message_of(kind("no row")) == "no row"


def test_an_exception_without_a_message_ends_its_span_all_the_same(telemetry: Recorded) -> None:
    class Failing(dspy.Module):
        def forward(self) -> None:
            raise UnreadableError

    class Guessing(dspy.Predict):
        def forward(self, **inputs: Any) -> None:
            raise UnreadableError

    for module in (Failing(), Guessing("question -> answer")):
        with pytest.raises(UnreadableError):
            module()
    assert [(span.status.status_code, span.status.description) for span in telemetry.spans] == [
        (StatusCode.ERROR, "UnreadableError")
    ] * 2
