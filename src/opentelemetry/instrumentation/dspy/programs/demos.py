"""Demonstrations of a predictor: how many there are, whether they changed, and what an adapter writes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

__all__ = ["frozen_demo", "listed_demos", "written_demos"]


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
    return tuple([value if value is None or isinstance(value, str) else _frozen(value) for value in values])


def _frozen(value: Any) -> Any:
    """Return the contents of a value; what DSPy's images and files show of themselves is their size alone."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return type(value).__name__, *[_frozen(item) for item in value]
    if isinstance(value, dict):
        return tuple([(_frozen(key), _frozen(item)) for key, item in value.items()])
    if hasattr(type(value), "model_fields"):
        return type(value).__name__, _frozen(vars(value))
    if callable(listing := getattr(value, "tolist", None)):
        # A numpy array shows the ends of itself.
        return type(value).__name__, _frozen(listing())
    return type(value).__name__, repr(value)


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
