"""Values of every kind are known for what the program was given, and none of them is told in the text of an error."""

from __future__ import annotations

import decimal
import enum
import fractions
import ipaddress
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs
import dspy
import numpy as np
import pydantic
import pytest

from opentelemetry.instrumentation.dspy.error_texts.value_texts import MAX_VALUES, texts_in

if TYPE_CHECKING:
    from recorded import Recorded


@dataclass
class Slotted:
    """A dataclass without a dictionary of its own."""

    __slots__ = ("name",)
    name: str


@attrs.define
class Person:
    name: str


class Open(pydantic.BaseModel):
    """A model that takes fields which it does not declare."""

    model_config = {"extra": "allow"}


class Opaque:
    """Shows what it keeps in a slot."""

    __slots__ = ("kept",)

    def __init__(self, kept: str) -> None:
        self.kept = kept

    def __str__(self) -> str:
        return f"Opaque {self.kept}"


class Colour(enum.Enum):
    RED = "Quillon"


def nested(levels: int, value: Any) -> Any:
    for _ in range(levels):
        value = [value]
    return value


NAMES: dict[str, Any] = {
    "bytes": b"Quillon",
    "a byte array": bytearray(b"Quillon"),
    "a slotted dataclass": Slotted("Quillon"),
    "a class of attrs": Person("Quillon"),
    "a field that no model declares": Open.model_validate({"name": "Quillon"}),
    "an object with slots": Opaque("Quillon"),
    "an enumeration": Colour.RED,
    "a deque": deque(["Quillon"]),
    "values of a mapping": {"name": "Quillon"}.values(),
    "keys of a mapping": {"Quillon": 1}.keys(),
    "an ordered mapping": OrderedDict(name="Quillon"),
    "an exception": LookupError("Quillon"),
    "an array": np.array(["Quillon"]),
    "lists in lists": nested(40, "Quillon"),
    "a long list": [*(f"n{number}" for number in range(5_000)), "Quillon"],
    "a large mapping": {**{f"n{number}": number for number in range(5_000)}, "last": "Quillon"},
}


@pytest.mark.parametrize("write", [str, repr])
@pytest.mark.parametrize("value", NAMES.values(), ids=NAMES)
def test_a_name_is_not_told_whatever_holds_it(telemetry: Recorded, value: Any, write: Any) -> None:
    def look(value: Any) -> None:
        raise ValueError(f"cannot use {write(value)[-40_000:]}")

    with pytest.raises(ValueError, match="cannot use"):
        dspy.Tool(look)(value=value)
    told = telemetry.span("execute_tool look").status.description or ""
    assert told.startswith("cannot use ")
    assert "Quillon" not in telemetry.everything()


@pytest.mark.parametrize(
    ("value", "as_text", "as_code"),
    [
        (date(1987, 5, 23), "born …", "born datetime.date(…)"),
        (datetime(1987, 5, 23, 4, 5), "born [19 characters]", "born datetime.datetime([17 characters])"),
        (time(4, 5, 6), "born …", "born datetime.time(…)"),
        (timedelta(days=471), "born [17 characters]", "born datetime.timedelta(…)"),
        (decimal.Decimal("471180.25"), "born …", "born Decimal(…)"),
        (fractions.Fraction(4711, 80), "born …", "born Fraction(…)"),
        (4711.5 + 80.25j, "born [15 characters]", "born [15 characters]"),
        (uuid.UUID(int=4711), "born [36 characters]", "born UUID([38 characters])"),
        (PurePosixPath("/home/quillon"), "born [13 characters]", "born PurePosixPath([15 characters])"),
        (ipaddress.ip_address("203.0.113.77"), "born [12 characters]", "born IPv4Address([14 characters])"),
        (np.int64(471180), "born …", "born np.int64(…)"),
        (np.array([471180, 802511]), "born [… …]", "born array([…, …])"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value.replace(" ", "_"),
)
def test_dates_numbers_and_ids_are_not_told(telemetry: Recorded, value: Any, as_text: str, as_code: str) -> None:
    class Looking(dspy.Module):  # type: ignore[misc]
        def forward(self, value: Any, write: Any) -> None:
            raise ValueError(f"born {write(value)}")

    for write in (str, repr):
        with pytest.raises(ValueError, match="born"):
            Looking()(value=value, write=write)
    assert [span.status.description for span in telemetry.named("invoke_workflow Looking")] == [as_text, as_code]


def test_names_of_the_fields_of_a_model_are_told() -> None:
    class Asked(pydantic.BaseModel):
        name: str

    assert texts_in([Asked(name="Ann")]) == ["Ann"]


def test_where_there_are_too_many_values_none_is_known_for_sure(telemetry: Recorded) -> None:
    assert texts_in([["a"] * (MAX_VALUES + 1)]) is None

    def look(values: list[str]) -> None:
        raise ValueError(f"cannot use {values[-1]}")

    with pytest.raises(ValueError, match="cannot use"):
        dspy.Tool(look)(values=[*(str(number) for number in range(MAX_VALUES)), "Quillon"])
    assert telemetry.span("execute_tool look").status.description == "…"
    assert "Quillon" not in telemetry.everything()


def test_an_object_that_leads_to_the_whole_program_is_looked_into_for_a_while() -> None:
    class Room:
        def __init__(self, number: int) -> None:
            self.name = f"room {number}"
            self.next: Any = None

    rooms = [Room(number) for number in range(50_000)]
    for one, following in pairwise(rooms):
        one.next = following
    assert texts_in([rooms[0], "after"]) == ["after", *(f"room {number}" for number in range(6))]


def test_code_holds_no_values() -> None:
    def function() -> None:
        """Has globals."""

    assert texts_in([function, Opaque, pytest, function.__get__(1)]) == []
