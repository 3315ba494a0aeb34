"""Where in a program a module stands: the attribute path from the outermost running module."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Protocol

from ..reading import read_past
from ..weak import WeakIdentityMap
from .places import OUTERMOST, Location, Look, own_place, places_below

if TYPE_CHECKING:
    from collections.abc import Callable

    from .places import Place, Steps

__all__ = ["Caller", "locate", "note_copy", "original_of"]


class Caller(Protocol):
    """A module that runs, as far as the paths of what it calls need to know it."""

    @property
    def instance(self) -> Any:
        """The module itself."""

    @property
    def caller(self) -> Caller | None:
        """The running module that called it."""

    @property
    def location(self) -> Location:
        """Where it stands itself."""


NOWHERE = Location()

ALWAYS = 3_000
"""Attributes and entries that are looked at at once in a program that was changed."""

SHARE = 50
"""Attributes and entries that are looked at for each module whose place is not known, on average and at first."""

LONGEST_WAIT = 1_000
"""So many times longer than at first a program waits in the end that was looked through in vain again and again."""


class _Index:
    """The places of the modules below one module, as far as they were looked for."""

    __slots__ = ("_cost", "_saved", "_wait", "places")

    def __init__(self) -> None:
        self.places: WeakIdentityMap[Place] = WeakIdentityMap()
        self._cost = 0
        self._saved = 0
        self._wait = 1

    def look_for(self, root: Any, module: Any, *, is_changed: bool) -> Place | None:
        """Look for a module that stands nowhere as far as is known, or no longer where it was.

        A program that makes predictors in its calls asks for one that is nowhere, again and again. So what the program
        was given since is looked for where its own attributes are; all of it is looked through after a change, and
        else ever more seldom.
        """
        if self._cost:
            if is_changed:
                self.places.drop(module)
            found = own_place(root, module)
            if found is not None:
                self.places.set(module, found)
                return found
            self._saved += SHARE
            if self._saved < self._cost * self._wait and not (is_changed and self._cost <= ALWAYS):
                return None
            self._wait = 1 if is_changed else min(2 * self._wait, LONGEST_WAIT)
        look, found = Look(), None
        for candidate, place in places_below(root, look):
            self.places.set(candidate, place)
            if candidate is module:
                found, self._wait = place, 1
        self._cost, self._saved = max(look.cost, SHARE), 0
        return found


_indices: WeakIdentityMap[_Index] = WeakIdentityMap()
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


def locate(module: Any, caller: Caller | None) -> Location:
    """Return a module's path, spelled as ``named_predictors()`` does, such as ``steps[0].predict``, and its word.

    ``caller`` is the running module that calls it. A copy that stands nowhere has the path of the module it was made
    from. There is none for the outermost module, and for one that is not an attribute of any running module (one made
    on the way, for instance); what stands below such a one has a word alone. A module that calls itself, directly or
    through others, stands where it stood.
    """
    if caller is None:
        return OUTERMOST
    around: Caller | None = caller
    while around is not None:
        if around.instance is module:
            return around.location
        around = around.caller
    while caller is not None:
        place = _place_below(caller.instance, module)
        if place is None:
            original = original_of(module)
            place = None if original is None else _place_below(caller.instance, original)
        if place is not None:
            return place.below(caller.instance, caller.location)
        caller = caller.caller
    return NOWHERE


_CONTAINERS = (list, tuple, dict)


def _place_below(root: Any, module: Any) -> Place | None:
    index = _indices.get(root)
    if index is None:
        index = _Index()
        _indices.set(root, index)
    place = index.places.get(module)
    if place is not None:
        attribute = place.attribute
        if module is (_at(root, place.steps) if attribute is None else read_past(root, "__dict__").get(attribute)):
            return place
    return index.look_for(root, module, is_changed=place is not None)


def _at(root: Any, steps: Steps) -> object:
    found: Any = root
    try:
        for step in steps:
            container: Any = found if issubclass(type(found), _CONTAINERS) else read_past(found, "__dict__")
            found = container[step]
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    return found
