"""Where in a program a module stands: the attribute path from the outermost running module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .weak import WeakIdentityMap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .context import RunningModule

__all__ = ["path_of"]


@dataclass(frozen=True, slots=True)
class _Place:
    """The way from one module to another below it."""

    path: str
    steps: tuple[str | int, ...]
    """Attribute names, and after the name of a list or dict the index or key in it."""


_places: WeakIdentityMap[WeakIdentityMap[_Place]] = WeakIdentityMap()
"""For each module that called another, the places of the modules below it."""


def path_of(module: Any, caller: RunningModule | None) -> str | None:
    """Return the path of a module in the spelling of ``named_predictors()``, such as ``steps[0].predict``.

    ``caller`` is the running module that calls it. ``None`` for the outermost module, and for one that is not an
    attribute of any running module (one made on the way, for instance).
    """
    while caller is not None:
        place = _place_below(caller.instance, module)
        if place is not None:
            if caller.caller is None:
                return place.path
            return f"{caller.path}.{place.path}" if caller.path else None
        caller = caller.caller
    return None


def _place_below(root: Any, module: Any) -> _Place | None:
    known = _places.get(root)
    if known is None:
        known = WeakIdentityMap()
        _places.set(root, known)
    place = known.get(module)
    if place is not None and _at(root, place.steps) is module:
        return place
    # Unknown, or the program was changed since: look through it, and keep what is found on the way.
    found = None
    for candidate, place in _modules_below(root, "", (), {id(root)}):
        known.set(candidate, place)
        if candidate is module:
            found = place
    return found


def _at(root: Any, steps: tuple[str | int, ...]) -> object:
    found: Any = root
    try:
        for step in steps:
            container: Any = found if isinstance(found, (list, tuple, dict)) else vars(found)
            found = container[step]
    except (KeyError, IndexError, TypeError):
        return None
    return found


def _modules_below(
    root: Any, prefix: str, steps: tuple[str | int, ...], seen: set[int]
) -> Iterator[tuple[Any, _Place]]:
    """Yield the modules below a module in the order and spelling of ``BaseModule.named_parameters``."""
    for name, value in list(vars(root).items()):
        for item, path, item_steps in _items(name, value):
            if id(item) in seen or not _is_module(item):
                continue
            seen.add(id(item))
            place = _Place(prefix + path, steps + item_steps)
            yield item, place
            yield from _modules_below(item, f"{place.path}.", place.steps, seen)


def _items(name: str, value: Any) -> Iterator[tuple[Any, str, tuple[str | int, ...]]]:
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield item, f"{name}[{index}]", (name, index)
    elif isinstance(value, dict):
        for key, item in list(value.items()):
            yield item, f"{name}['{key}']", (name, key)
    else:
        yield value, name, (name,)


def _is_module(value: object) -> bool:
    return hasattr(type(value), "named_parameters") and hasattr(value, "__dict__")
