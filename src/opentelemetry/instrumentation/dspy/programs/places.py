"""The places of the modules in a program, found by looking at what its modules hold, but not at all of its data."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..encodable import encodable
from ..reading import is_kind, read_past
from .module_classes import ModuleKind, classify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["OUTERMOST", "Location", "Look", "Place", "Steps", "modules_below", "own_place", "places_below"]

_SAY_NOTHING = frozenset({"module", "predict"})
"""Attributes that DSPy's own modules keep the module in that does their work (``ChainOfThought``, ``BestOfN``).

In a program of the application they are names like any other.
"""

Steps: TypeAlias = "tuple[Any, ...]"
"""Attribute names, and after the name of a list or dict the index or key in it."""


@dataclass(slots=True, eq=False)
class Location:
    """Where in a running program a module stands."""

    path: str | None = None
    """Attribute path from the outermost running module, ``None`` for that one and where there is none."""
    word: str | None = None
    """The last name on the way that the program chose, without indexes and keys: one for each place in the code."""
    prompt: str | None = None
    """The path after the class name of the outermost running module: what a predictor's prompt is called there."""


OUTERMOST: Final = Location()
"""Where the outermost running module stands."""


@dataclass(slots=True, eq=False)
class Place:
    """The way from one module to another below it."""

    path: str
    steps: Steps
    word: str | None
    attribute: str | None = None
    """The name of the attribute that the module stands in, where that is the whole way."""
    _known: tuple[Location, type[Any], Location] | None = None

    def __post_init__(self) -> None:
        if len(self.steps) == 1:
            self.attribute = self.steps[0]

    def below(self, root: Any, above: Location) -> Location:
        """Return the location of the module where ``root``, which holds it, has the location ``above``.

        What is asked for the same again is the same object.
        """
        known, root_class = self._known, type(root)
        if known is None or known[0] is not above or known[1] is not root_class:
            known = self._known = above, root_class, self._located(root, above)
        return known[2]

    def _located(self, root: Any, above: Location) -> Location:
        if above is OUTERMOST:
            return Location(self.path, self.word, f"{type(root).__name__}.{self.path}")
        if not above.path:
            return Location(None, self.word or above.word)
        return Location(f"{above.path}.{self.path}", self.word or above.word, f"{above.prompt}.{self.path}")


ENTRIES_IN_ROW = 100
"""Entries in a row that are no modules, after which a list, tuple or dict is taken for data."""

MUCH_DATA = 2_000
"""Entries of that sort in a whole program, after which fewer in a row are enough."""

FEWER_ENTRIES_IN_ROW = 10

ATTRIBUTES_IN_ROW = 2_000
"""Attributes in a row without a module in them, after which there is nothing more to find."""

OWN_ENTRIES = 500
"""Entries of a module's own lists, tuples and dicts that are compared with a module whose place is not known."""


def own_place(root: Any, module: Any) -> Place | None:
    """Return the place of a module that stands in another's own attributes."""
    if _has(root, module):
        for item, path, steps, name in _items(root, "", (), Look()):
            if item is module:
                return Place(encodable(path), steps, _word(root, name, None))
    return None


def _has(root: Any, module: Any) -> bool:
    """Whether a module stands in another's own attributes, or in a list, tuple or dict among them."""
    left = OWN_ENTRIES
    # Nobody's own methods are called here. A thread that changes what is being looked at ends the look.
    with suppress(RuntimeError):
        for value in dict.values(read_past(root, "__dict__")):
            if value is module:
                return True
            kind = type(value)
            if left <= 0 or not (kind is list or kind is dict or kind is tuple):
                continue
            entries = value.values() if kind is dict else value
            # The last ones: what was added stands there.
            for entry in islice(reversed(entries), min(left, ENTRIES_IN_ROW)):
                left -= 1
                if entry is module:
                    return True
    return False


def modules_below(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield path and module of all modules below one, as far as it is looked through.

    Unlike ``named_predictors`` it does not read all the data that a program holds in its lists.
    """
    for module, place in places_below(root, Look()):
        yield place.path, module


def places_below(root: Any, look: Look) -> Iterator[tuple[Any, Place]]:
    """Yield the modules below a module in the order and spelling of ``BaseModule.named_parameters``."""
    seen = {id(root)}
    # A stack, not a recursion: a program may be nested as deep as Python lets its calls be.
    stack: list[tuple[Any, Iterator[tuple[Any, str, Steps, str]], str | None]]
    stack = [(root, _items(root, "", (), look), None)]
    while stack and look.without_module < ATTRIBUTES_IN_ROW:
        holder, items, word_above = stack[-1]
        for item, path, steps, name in items:
            if item is None:
                look.without_module += 1
                if look.without_module >= ATTRIBUTES_IN_ROW:
                    break
            elif id(item) not in seen:
                seen.add(id(item))
                look.without_module = 0
                word = _word(holder, name, word_above)
                yield item, Place(encodable(path), steps, word)
                stack.append((item, _items(item, f"{path}.", steps, look), word))
                break
        else:
            stack.pop()


def _word(holder: Any, name: str, above: str | None) -> str | None:
    """Return the word for what stands in an attribute of a module, ``above`` where the name is not the program's."""
    says_nothing = name in _SAY_NOTHING and classify(type(holder)).kind is ModuleKind.BUILT_IN
    return above if says_nothing else encodable(name)


def _items(module: Any, prefix: str, steps: Steps, look: Look) -> Iterator[tuple[Any, str, Steps, str]]:
    """Yield the modules in a module's attributes, and in lists, tuples and dicts among them; ``None`` for the rest."""
    # Nobody's own methods are called here. A thread that changes what is being looked at ends the look.
    with suppress(RuntimeError):
        for name, value in dict.items(read_past(module, "__dict__")):
            look.cost += 1
            if not is_kind(name, str):
                continue  # No name of an attribute.
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
class Look:
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
    value_class = type(value)
    return hasattr(value_class, "named_parameters") and value_class.__dictoffset__ != 0
