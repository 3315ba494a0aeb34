"""Where in a program a module stands: the attribute path from the outermost running module."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..weak import WeakIdentityMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..context import RunningModule

__all__ = ["note_copy", "original_of", "path_of"]


@dataclass(frozen=True, slots=True)
class _Place:
    """The way from one module to another below it."""

    path: str
    steps: tuple[str | int, ...]
    """Attribute names, and after the name of a list or dict the index or key in it."""


_places: WeakIdentityMap[WeakIdentityMap[_Place]] = WeakIdentityMap()
"""For each module that called another, the places of the modules below it."""

_originals: WeakIdentityMap[Callable[[], object | None]] = WeakIdentityMap()
"""For each deep copy that DSPy made of a module, a weak reference to that module."""


def note_copy(copied: object, original: object) -> None:
    """Remember what a module was copied from: ``BestOfN`` and ``Refine`` run copies that nothing refers to."""
    if copied is not original:
        _originals.set(copied, weakref.ref(original))


def original_of(module: object) -> object | None:
    """Return the module that this one is a noted copy of, ``None`` where there is none or it is gone."""
    reference = _originals.get(module)
    return None if reference is None else reference()


def path_of(module: Any, caller: RunningModule | None) -> str | None:
    """Return the path of a module in the spelling of ``named_predictors()``, such as ``steps[0].predict``.

    ``caller`` is the running module that calls it. A copy that stands nowhere has the path of the module it was made
    from. ``None`` for the outermost module, and for one that is not an attribute of any running module (one made on
    the way, for instance).
    """
    original = original_of(module)
    while caller is not None:
        place = _place_below(caller.instance, module)
        if place is None and original is not None:
            place = _place_below(caller.instance, original)
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
