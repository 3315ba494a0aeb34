"""Demonstrations of a predictor: how many there are, whether they changed, and what an adapter writes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

from ..written_values import is_soon_written

__all__ = ["TooMuchError", "frozen_demo", "listed_demos", "written_demos"]

MAX_VALUES = 100_000
"""Values in one field of a demonstration that are looked at with each call."""

MAX_DEPTH = 100
"""Values inside one another that are: far fewer than Python's calls may be, each value being two of them."""

_BESIDE_FIELDS = ("__pydantic_extra__", "__pydantic_private__")
"""Where a pydantic model keeps what its ``vars`` lack and its serialization may write."""


def listed_demos(demos: Any) -> Sequence[Any] | None:
    """Return demonstrations as a sequence; ``None`` where looking at them would take them from the program."""
    if demos is None:
        return ()
    if isinstance(demos, (list, tuple)):
        return demos
    if isinstance(demos, Iterator) or not isinstance(demos, Iterable) or not isinstance(demos, Sized):
        return None
    return [*demos]


def frozen_demo(demo: Any, fields: Iterable[str]) -> tuple[Any, ...]:
    """Return something that changes when a demonstration does, also one whose values are changed in place.

    Raises ``TooMuchError`` for a demonstration that is too large or too deep to be looked at with each call.
    """
    # Straight from the dict inside an Example: its own methods take longer than all the rest, on every call.
    values = [*map(getattr(demo, "_store", demo).get, fields)]
    return tuple([value if value is None or type(value) is str else _Freezing().of(value) for value in values])


class TooMuchError(ValueError):
    """There is more in a demonstration than can be looked at with each call."""


@dataclass(slots=True)
class _Freezing:
    """One walk through a value of a demonstration."""

    left: int = MAX_VALUES
    around: list[int] = field(default_factory=list)
    """The values that it is in, by identity: of one that contains itself its place among them is told."""

    def of(self, value: Any) -> Any:
        """Return the contents of a value; what DSPy's images and files show of themselves is their size alone."""
        self.left -= 1
        if self.left < 0 or len(self.around) >= MAX_DEPTH:
            raise TooMuchError
        kind = type(value)
        if value is None or kind is str:
            return value
        if id(value) in self.around:
            return "itself", self.around.index(id(value))
        self.around.append(id(value))
        frozen = self._contents(value, kind)
        self.around.pop()
        return frozen

    def _contents(self, value: Any, kind: type[Any]) -> tuple[Any, ...]:
        if isinstance(value, (list, tuple)):
            return kind.__name__, *[self.of(item) for item in value]
        if isinstance(value, dict):
            return tuple([(self.of(key), self.of(item)) for key, item in value.items()])
        if hasattr(kind, "model_fields"):
            beside = [self.of(getattr(value, name, None)) for name in _BESIDE_FIELDS]
            return kind.__name__, self.of(vars(value)), *beside
        if hasattr(kind, "__dataclass_fields__"):
            # What a dataclass shows of itself need not be all of it.
            return kind.__name__, *[self.of(getattr(value, name, None)) for name in kind.__dataclass_fields__]
        if hasattr(kind, "tolist"):
            # A numpy array shows the ends of itself. Its class is asked: a mock has whatever it is asked for.
            return kind.__name__, self.of(value.tolist())
        if not is_soon_written(value):
            raise TooMuchError
        # Of an object that pydantic does not know an adapter writes ``str``.
        return kind.__name__, repr(value), str(value)


def written_demos(signature: Any, demos: Sequence[Any]) -> list[Any]:
    """Return what an adapter writes of demonstrations (``Adapter.format_demos``).

    Those with all fields come last, and those that lack all inputs or all outputs not at all. Of a value the text
    counts: saved and loaded a pydantic model is a mapping, a date a text, and the prompt the same.
    """
    complete: list[Any] = []
    incomplete: list[Any] = []
    for demo in demos:
        values = getattr(demo, "_store", demo)
        if not isinstance(values, Mapping):
            continue
        written = {name: _written(field, values[name]) for name, field in signature.fields.items() if name in values}
        if all(values.get(name) is not None for name in signature.fields):
            complete.append([*written.items()])
        elif not written.keys().isdisjoint(signature.input_fields) and not written.keys().isdisjoint(
            signature.output_fields
        ):
            incomplete.append([*written.items()])
    return [incomplete, complete]


def _written(field: Any, value: Any) -> Any:
    from dspy.adapters.utils import format_field_value  # DSPy is loaded, or there were no predictor

    return format_field_value(field_info=field, value=value)
