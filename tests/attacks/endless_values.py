"""Values that no walk comes to the end of: in themselves, deep, doubled at each level, wide, endless or changing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dspy
import pydantic

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENDLESS", "Told"]

DEEP = 20_000
"""Levels: more than Python's calls may be nested, in any version."""

DOUBLINGS = 50
"""Levels of which each holds the next one twice: no walk that goes wherever it can comes to an end."""

WIDE = 300_000
"""Items of one list or mapping."""


@dataclass
class Record:
    """A dataclass of the application's."""

    name: str = "record"
    inside: Any = field(default=None)


class Told(pydantic.BaseModel):
    """A pydantic model of the application's."""

    name: str = "told"
    inside: Any = None


class Growing(dict):  # type: ignore[type-arg]
    """Has another entry each time that one of its values is looked at."""

    def grow(self) -> str:
        self[f"key {len(self)}"] = len(self)
        return "grown"


class Watched:
    """Changes the mapping that it stands in when it is shown."""

    def __init__(self, around: Growing) -> None:
        self.around = around

    def __repr__(self) -> str:
        return self.around.grow()


class EndlessMapping(Mapping[str, Any]):
    """Holds another one of its kind under each of its names."""

    def __getitem__(self, name: str) -> Any:
        if name not in ("first", "second"):
            raise KeyError(name)
        return EndlessMapping()

    def __iter__(self) -> Iterator[str]:
        return iter(("first", "second"))

    def __len__(self) -> int:
        return 2


class EndlessObject:
    """Has another one of its kind under each name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return EndlessObject()


def list_in_itself() -> Any:
    value: list[Any] = ["item"]
    value.append(value)
    return value


def mapping_in_itself() -> Any:
    value: dict[str, Any] = {"key": "item"}
    value["self"] = value
    return value


def two_in_each_other() -> Any:
    first: dict[str, Any] = {"type": "text"}
    second: list[Any] = [first, first]
    first["content"] = second
    return second


def dataclass_in_itself() -> Any:
    value = Record()
    value.inside = [value]
    return value


def model_in_itself() -> Any:
    value = Told()
    value.inside = {"self": value}
    return value


def example_in_itself() -> Any:
    value = dspy.Example(question="number 1")
    value.inside = value
    return value


def namespace_in_itself() -> Any:
    value = SimpleNamespace(type="text")
    value.content = [value]
    return value


def nested(around: Callable[[Any], Any], levels: int) -> Callable[[], Any]:
    """Return what makes a value with so many levels."""

    def make() -> Any:
        value: Any = "innermost"
        for _ in range(levels):
            value = around(value)
        return value

    return make


def growing() -> Any:
    value = Growing()
    value.update((f"entry {number}", Watched(value)) for number in range(5))
    return value


ENDLESS: dict[str, Callable[[], Any]] = {
    "a list in itself": list_in_itself,
    "a mapping in itself": mapping_in_itself,
    "two in each other": two_in_each_other,
    "a dataclass in itself": dataclass_in_itself,
    "a model in itself": model_in_itself,
    "an example in itself": example_in_itself,
    "a namespace in itself": namespace_in_itself,
    "deep lists": nested(lambda inside: [inside], DEEP),
    "deep mappings": nested(lambda inside: {"inside": inside}, DEEP),
    "deep dataclasses": nested(lambda inside: Record(inside=inside), DEEP),
    "deep objects": nested(lambda inside: SimpleNamespace(inside=inside), DEEP),
    "doubled lists": nested(lambda inside: [inside, inside], DOUBLINGS),
    "doubled empty lists": lambda: nested(
        lambda inside: [inside, inside] if inside != "innermost" else [], DOUBLINGS
    )(),
    "doubled mappings": nested(lambda inside: {"first": inside, "second": inside}, DOUBLINGS),
    "doubled dataclasses": nested(lambda inside: Record(inside=(inside, inside)), DOUBLINGS),
    "doubled models": nested(lambda inside: Told.model_construct(inside=[inside, inside]), DOUBLINGS),
    "doubled objects": nested(
        lambda inside: SimpleNamespace(type="text", outputs=[inside, inside], annotations=[inside, inside]), DOUBLINGS
    ),
    "a wide list": lambda: ["item"] * WIDE,
    "a wide mapping": lambda: {f"key {number}": number for number in range(WIDE)},
    "a long text": lambda: "text " * 2_000_000,
    "an endless mapping": EndlessMapping,
    "an endless object": EndlessObject,
    "a mapping that grows": growing,
}
