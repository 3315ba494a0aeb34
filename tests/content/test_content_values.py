"""Every value of a program becomes one that JSON and OTLP can hold; none makes it fail or hang."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import time
from collections import OrderedDict, UserDict, deque
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

import dspy
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.content import Content

if TYPE_CHECKING:
    from opentelemetry.instrumentation.dspy.config import Redact


def content(max_length: int = 100, redact: Redact | None = None) -> Content:
    return Content(Options(content_max_length=max_length, redact=redact), captured=True)


def plain(value: Any) -> Any:
    """What is recorded of a value; it is always JSON, and OTLP's text and integers."""
    recorded = content().value(value, "input")
    text = content().json(value, "input")
    assert text.encode()
    assert json.loads(text, parse_constant=pytest.fail) == recorded
    return recorded


class Mood(enum.Enum):
    GOOD = "good"


class Level(enum.IntEnum):
    HIGH = 3


class Person(pydantic.BaseModel):
    name: str
    token: str = pydantic.Field(default="sk-1", repr=False)
    password: pydantic.SecretStr = pydantic.SecretStr("sk-2")


@dataclasses.dataclass
class Point:
    x: int
    label: str = dataclasses.field(default="sk-3", repr=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (-(2**63) - 1, "-9223372036854775809"),
        (0.5, 0.5),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (Mood.GOOD, "good"),
        (Level.HIGH, 3),
        ((1, (2,)), [1, [2]]),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=1), {"a": 1}),
        ({1: "a", (2, 3): "b", None: "c"}, {"1": "a", "(2, 3)": "b", "None": "c"}),
        (frozenset([1]), [1]),
        (deque([1]), "deque([1])"),
        (range(3), "range(0, 3)"),
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (datetime.datetime(2026, 11, 21, 8, 30), "2026-11-21 08:30:00"),
        (decimal.Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/a/b"), "/a/b"),
        (Person(name="Ann"), {"name": "Ann", "password": "[secret]"}),
        (Point(1), {"x": 1}),
        (dspy.Example(question="Q", answer=[1]).with_inputs("question"), {"question": "Q", "answer": [1]}),
        (dspy.Prediction(answer="A", score=0.5), {"answer": "A", "score": 0.5}),
        (Person, "<class 'test_content_values.Person'>"),
        ("a\ud83d!", "a?!"),
    ],
    ids=repr,
)
def test_values_of_all_kinds_become_plain_ones(value: Any, expected: Any) -> None:
    recorded = plain(value)
    assert recorded == expected
    assert type(recorded) is type(expected)


class Breaking:
    def __repr__(self) -> str:
        raise RuntimeError("no representation")


class BreakingMapping(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no items")

    def __iter__(self) -> Iterator[str]:
        yield "a"

    def __len__(self) -> int:
        return 1


class BreakingAttribute:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class LyingList(list[int]):
    def __len__(self) -> int:
        raise RuntimeError("no length")


@pytest.mark.parametrize("kind", [Breaking, BreakingMapping, BreakingAttribute, LyingList])
def test_what_cannot_be_read_is_represented_by_its_type_and_the_rest_is_recorded(kind: type) -> None:
    assert plain(["before", kind(), "after"]) == ["before", f"… [{kind.__name__}]", "after"]


def test_a_number_that_python_does_not_write_out_is_represented_by_its_type() -> None:
    assert plain(10**5000) == "… [int]"


def test_what_contains_itself_ends_at_itself() -> None:
    cyclic: list[Any] = [1]
    cyclic.append(cyclic)
    assert plain(cyclic) == [1, "… [list]"]
    mutual: dict[str, Any] = {"other": {}}
    mutual["other"]["back"] = mutual
    assert plain(mutual) == {"other": {"back": "… [dict]"}}
    example = dspy.Example(name="one")
    example["self"] = example
    assert plain(example)["name"] == "one"


def test_one_object_in_two_places_is_recorded_in_both() -> None:
    shared = {"a": 1}
    assert plain([shared, shared]) == [{"a": 1}, {"a": 1}]


def test_depth_and_number_of_values_are_bounded() -> None:
    deep: Any = "bottom"
    for _ in range(1000):
        deep = [deep]
    text = content().json(deep, "input")
    assert text == "[" * 12 + '"… [list]"' + "]" * 12
    assert plain(list(range(1000)))[198:] == [198, 199, "… [800 more items]"]
    many = plain({f"key{number}": number for number in range(1000)})
    assert len(many) == 201
    assert many["…"] == "[800 more items]"


def test_lists_that_contain_each_other_many_times_are_recorded_in_no_time() -> None:
    wide: Any = "bottom"
    for _ in range(12):
        wide = [wide] * 200
    wide[0] = cyclic = [wide] * 100
    cyclic.extend([cyclic] * 100)
    began = time.perf_counter()
    text = content().json(wide, "input")
    assert time.perf_counter() - began < 2
    assert len(text) < 1_000_000


def test_a_long_text_without_any_data_url_is_searched_in_no_time() -> None:
    began = time.perf_counter()
    for text in ("data:" + "a" * 1_000_000, "data:" * 200_000, "data:a/b" + ";c=d" * 200_000, "data:a/b;" * 100_000):
        assert content(10).text(text, "input").startswith(text[:10])
    assert time.perf_counter() - began < 2


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.one_of(st.text(), st.integers()), inner), st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@given(values)
def test_every_value_becomes_json_that_otlp_can_carry(value: Any) -> None:
    plain(value)


@given(st.text(), st.integers(1, 50))
def test_no_recorded_text_is_much_longer_than_the_maximum(text: str, length: int) -> None:
    recorded = content(length).text(text, "input")
    assert len(recorded) <= length + len("… [1000000 more characters]")
    if len(text) <= length and "data:" not in text:
        assert recorded == text
