"""Where in a program a module stands: the attribute path from the outermost running module."""

from __future__ import annotations

import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..encodable import encodable
from ..reading import is_kind
from ..weak import WeakIdentityMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Caller", "Location", "locate", "modules_below", "note_copy", "original_of"]


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


@dataclass(frozen=True, slots=True)
class Location:
    """Where in a program a module stands."""

    path: str | None = None
    """Attribute path from the outermost running module, ``None`` for that one and where there is none."""
    word: str | None = None
    """The last name on the way that the program chose, without indexes and keys: one for each place in the code."""


NOWHERE = Location()

_SAY_NOTHING = frozenset({"module", "predict"})
"""Attributes that DSPy's own modules keep the module in that does their work (``ChainOfThought``, ``BestOfN``)."""

_Steps: TypeAlias = "tuple[Any, ...]"
"""Attribute names, and after the name of a list or dict the index or key in it."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The way from one module to another below it."""

    path: str
    steps: _Steps
    word: str | None


ENTRIES_IN_ROW = 100
"""Entries in a row that are no modules, after which a list, tuple or dict is taken for data."""

MUCH_DATA = 2_000
"""Entries of that sort in a whole program, after which fewer in a row are enough."""

FEWER_ENTRIES_IN_ROW = 10

ATTRIBUTES_IN_ROW = 2_000
"""Attributes in a row without a module in them, after which there is nothing more to find."""

ALWAYS = 3_000
"""Attributes and entries that are looked at for any module whose place is not known."""

SHARE = 50
"""In a larger program, this many for each module whose place is not known, on average."""


class _Index:
    """The places of the modules below one module, as far as they were looked for."""

    __slots__ = ("_cost", "_saved", "places")

    def __init__(self) -> None:
        self.places: WeakIdentityMap[_Place] = WeakIdentityMap()
        self._cost = 0
        self._saved = 0

    def look_for(self, root: Any, module: Any) -> _Place | None:
        """Look through the program, unless it is large and was looked through just now.

        A program that makes predictors in its calls asks for one that is nowhere, again and again.
        """
        self._saved += SHARE
        if self._cost > ALWAYS and self._saved < self._cost:
            return None
        found, look = None, _Look()
        for candidate, place in _modules_below(root, look):
            self.places.set(candidate, place)
            if candidate is module:
                found = place
        self._cost, self._saved = look.cost, 0
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
    on the way, for instance); what stands below such a one has a word alone.
    """
    original = original_of(module)
    while caller is not None:
        place = _place_below(caller.instance, module)
        if place is None and original is not None:
            place = _place_below(caller.instance, original)
        if place is not None:
            if caller.caller is None:
                return Location(place.path, place.word)
            above = caller.location
            return Location(f"{above.path}.{place.path}" if above.path else None, place.word or above.word)
        caller = caller.caller
    return NOWHERE


def _place_below(root: Any, module: Any) -> _Place | None:
    index = _indices.get(root)
    if index is None:
        index = _Index()
        _indices.set(root, index)
    place = index.places.get(module)
    if place is not None and _at(root, place.steps) is module:
        return place
    # Unknown, or the program was changed since: look through it, and keep what is found on the way.
    return index.look_for(root, module)


def _at(root: Any, steps: _Steps) -> object:
    found: Any = root
    try:
        for step in steps:
            container: Any = found if is_kind(found, list, tuple, dict) else vars(found)
            found = container[step]
    except (KeyError, IndexError, TypeError):
        return None
    return found


def modules_below(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield path and module of all modules below one, as far as it is looked through.

    Unlike ``named_predictors`` it does not read all the data that a program holds in its lists.
    """
    for module, place in _modules_below(root, _Look()):
        yield place.path, module


def _modules_below(root: Any, look: _Look) -> Iterator[tuple[Any, _Place]]:
    """Yield the modules below a module in the order and spelling of ``BaseModule.named_parameters``."""
    seen = {id(root)}
    # A stack, not a recursion: a program may be nested as deep as Python lets its calls be.
    stack: list[tuple[Iterator[tuple[Any, str, _Steps, str]], str | None]] = [(_items(root, "", (), look), None)]
    while stack and look.without_module < ATTRIBUTES_IN_ROW:
        items, word_above = stack[-1]
        for item, path, steps, name in items:
            if item is None:
                look.without_module += 1
                if look.without_module >= ATTRIBUTES_IN_ROW:
                    break
            elif id(item) not in seen:
                seen.add(id(item))
                look.without_module = 0
                word = word_above if name in _SAY_NOTHING else encodable(name)
                yield item, _Place(encodable(path), steps, word)
                stack.append((_items(item, f"{path}.", steps, look), word))
                break
        else:
            stack.pop()


def _items(module: Any, prefix: str, steps: _Steps, look: _Look) -> Iterator[tuple[Any, str, _Steps, str]]:
    """Yield the modules in a module's attributes, and in lists, tuples and dicts among them; ``None`` for the rest."""
    # Nobody's own methods are called here. A thread that changes what is being looked at ends the look.
    with suppress(RuntimeError):
        for name, value in dict.items(vars(module)):
            look.cost += 1
            # By their own types: a dead weak proxy raises when it is asked for its class.
            if is_kind(value, list, tuple):
                kind: type[Any] = list if is_kind(value, list) else tuple
                entries: Iterable[tuple[Any, Any]] = enumerate(kind.__iter__(value))
                spelled = "{}[{}]"
            elif is_kind(value, dict):
                entries, spelled = dict.items(value), "{}['{}']"
            else:
                yield (value if _is_module(value) else None), prefix + name, (*steps, name), name
                continue
            with suppress(RuntimeError):
                for key, item in look.through(entries):
                    yield item, prefix + spelled.format(name, key), (*steps, name, key), name
            yield None, prefix, steps, name


@dataclass(slots=True)
class _Look:
    """One look through a program, which is not to look at all the data that the program holds."""

    cost: int = 0
    """Attributes and entries that were looked at."""
    data: int = 0
    """Those of them that are data in a list, tuple or dict."""
    without_module: int = 0
    """Attributes since the last one in which there was a module."""

    def through(self, entries: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        """Yield the modules among the entries of a container, until it is taken for data."""
        in_row = 0
        for key, item in entries:
            self.cost += 1
            if _is_module(item):
                in_row = 0
                yield key, item
                continue
            in_row += 1
            self.data += 1
            if in_row >= (ENTRIES_IN_ROW if self.data < MUCH_DATA else FEWER_ENTRIES_IN_ROW):
                return


def _is_module(value: object) -> bool:
    return hasattr(type(value), "named_parameters") and hasattr(value, "__dict__")
