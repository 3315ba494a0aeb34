"""Demonstrations of a predictor: how many there are, whether they changed, and what an adapter writes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

__all__ = ["frozen_demo", "listed_demos", "written_demos"]

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
    """Return something that changes when a demonstration does, also one whose values are changed in place."""
    # Straight from the dict inside an Example: its own methods take longer than all the rest, on every call.
    values = [*map(getattr(demo, "_store", demo).get, fields)]
    return tuple([value if value is None or type(value) is str else _frozen(value) for value in values])


def _frozen(value: Any) -> Any:
    """Return the contents of a value; what DSPy's images and files show of themselves is their size alone."""
    kind = type(value)
    if value is None or kind is str:
        return value
    if isinstance(value, (list, tuple)):
        return kind.__name__, *[_frozen(item) for item in value]
    if isinstance(value, dict):
        return tuple([(_frozen(key), _frozen(item)) for key, item in value.items()])
    if hasattr(kind, "model_fields"):
        return kind.__name__, _frozen(vars(value)), *[_frozen(getattr(value, name, None)) for name in _BESIDE_FIELDS]
    if hasattr(kind, "__dataclass_fields__"):
        # What a dataclass shows of itself need not be all of it.
        return kind.__name__, *[_frozen(getattr(value, name, None)) for name in kind.__dataclass_fields__]
    if callable(listing := getattr(value, "tolist", None)):
        # A numpy array shows the ends of itself.
        return kind.__name__, _frozen(listing())
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
