"""How a seam is wrapped and restored.

``Patcher.apply`` puts a ``wrapt`` wrapper in the place of a method, over a class and, where a seam says so, over every
override in its subclasses, those that exist and those that are defined later. ``Patcher.remove`` puts back the
identical objects. Wrappers that somebody else wrapped in the meantime cannot be taken out; they let calls through.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import logging
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook

from ..later import works_later
from ..locks import ForkSafeLock
from .calls import Noter
from .complaints import Complaints
from .handlers import CallHandler
from .notes import NoteHandler
from .places import Seam, import_named, is_there, resolve
from .switches import Switch
from .traced import SubclassHook, TracedAttribute, TracedMethod, TracedStep, traced_method_in

__all__ = ["Patcher"]

_logger = logging.getLogger(__name__)

_HOOK = "__init_subclass__"

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from .calls import Recorder
    from .places import Replacement


_ABSENT = object()


@dataclass(slots=True)
class _Patch:
    """One attribute that was replaced.

    The owner is held weakly, so that a class of the application can go. What was replaced in it is not held at all
    where the replacement keeps it: a method that calls ``super()`` holds its class.
    """

    owner: Callable[[], object | None]
    attribute: str
    original: Any = None
    replacement: Any = _ABSENT


class Patcher:
    """Applies seams and takes them off again."""

    def __init__(self, apply_to: Callable[[Patcher], None] = lambda _: None) -> None:
        self._apply_all = apply_to
        self._removed = False
        self._running = ForkSafeLock()
        self._patches: dict[int, _Patch] = {}
        """In the order in which they were made; those of a class that is gone go with it."""
        self._numbers = itertools.count()
        self._applied: dict[type, list[Seam]] = {}
        self._switch = Switch()
        self._complaints = Complaints()
        self._lock = ForkSafeLock()

    def run(self) -> None:
        """Apply all that the patcher was made for, unless it was taken off before; DSPy has to be imported."""
        with self._running:
            if self._removed:
                return
            try:
                self._apply_all(self)
            except Exception as error:
                _logger.warning("DSPy could not be instrumented, and runs without telemetry.", exc_info=error)
                self._remove()

    def apply(self, seams: Iterable[Seam]) -> None:
        """Wrap every seam that the installed DSPy has; log one line for each missing one that it should have."""
        self._switch.on = True
        for seam in seams:
            owner = resolve(seam)
            if seam.on_instances and owner is not None and seam.attribute not in vars(owner):
                handler = self._handler(owner, seam)
                self._replace(owner, seam.attribute, TracedAttribute(seam.attribute, handler.around(None)))
                continue
            if owner is None or not is_there(seam):
                if not seam.optional:
                    _logger.warning(
                        "This DSPy has no %s.%s: its calls are not recorded, all others are. A newer version of "
                        "opentelemetry-instrumentation-dspy may know what took its place.",
                        seam.owner,
                        seam.attribute,
                    )
                continue
            if seam.attribute in vars(owner):
                self._wrap(owner, seam)
            if seam.subclasses and isinstance(owner, type):
                self._wrap_subclasses(owner, seam)

    def replace(self, replacements: Iterable[Replacement]) -> None:
        """Replace every name that the installed DSPy has."""
        for replacement in replacements:
            module = import_named(replacement.module)
            if module is not None and vars(module).get(replacement.name) is replacement.original:
                self._replace(module, replacement.name, replacement.replacement)

    def apply_later(self, seams: Iterable[Seam]) -> None:
        """Wrap every seam whose module is imported, and each of the others when its module is."""
        for seam in seams:
            register_post_import_hook(functools.partial(self._wrap_imported, seam), seam.module)

    def _wrap_imported(self, seam: Seam, module: ModuleType) -> None:
        owner = module if seam.owner is None else vars(module).get(seam.owner)
        with self._lock:
            if not self._switch.on:
                return
            try:
                if owner is not None and seam.attribute in vars(owner):
                    self._wrap(owner, seam)
                elif not seam.optional:
                    _logger.warning(
                        "%s has no %s.%s: what it does is not seen.", seam.module, seam.owner, seam.attribute
                    )
            except Exception as error:  # noqa: BLE001 - whoever imports the module must get it
                self._complaints.about(seam.recorder, error)

    def wrap_found(self, found: type, attribute: str, recorder: Recorder | Noter, *, within_call: bool = False) -> None:
        """Wrap a method of a class that only a running program has shown, unless it is wrapped already."""
        owner = next((ancestor for ancestor in found.__mro__ if attribute in vars(ancestor)), None)
        with self._lock:
            if self._switch.on and owner is not None:
                seam = Seam(owner.__module__, owner.__qualname__, attribute, recorder, within_call=within_call)
                self._wrap(owner, seam)

    def remove(self) -> None:
        """Put back everything that was replaced, in reverse order, and replace nothing more."""
        with self._running:
            self._remove()

    def _remove(self) -> None:
        self._removed = True
        with self._lock:
            # Classes that are found or defined at the same time wrap their own methods under the same lock.
            self._switch.on = False
        while self._patches:
            _, patch = self._patches.popitem()
            owner = patch.owner()
            if owner is not None:
                try:
                    self._restore(owner, patch)
                except Exception as error:  # noqa: BLE001 - a class that refuses must not keep the others
                    self._complaints.about(self, error)
        self._applied.clear()

    def _restore(self, owner: Any, patch: _Patch) -> None:
        current = vars(owner).get(patch.attribute)
        ours = traced_method_in(current)
        if ours is not None and ours.belongs_to(self):
            setattr(owner, patch.attribute, ours.__wrapped__)
        elif current is not patch.replacement:
            return
        elif patch.original is _ABSENT:
            delattr(owner, patch.attribute)
        else:
            setattr(owner, patch.attribute, patch.original)

    def _replace(self, owner: Any, attribute: str, replacement: Any) -> None:
        original = vars(owner).get(attribute, _ABSENT)
        setattr(owner, attribute, replacement)
        self._note(owner, attribute, original, replacement)

    def _note(self, owner: Any, attribute: str, original: Any = None, replacement: Any = _ABSENT) -> None:
        patches, number = self._patches, next(self._numbers)

        def forget(_reference: object) -> None:
            patches.pop(number, None)

        patches[number] = _Patch(weakref.ref(owner, forget), attribute, original, replacement)

    def _wrap(self, owner: Any, seam: Seam, *, deferred: bool = False) -> None:
        original = vars(owner)[seam.attribute]
        if isinstance(original, TracedMethod) and original.belongs_to(self):
            return
        left_over = traced_method_in(original)
        if left_over is not None and not left_over.belongs_to(self):
            # When an earlier patcher was removed, it was below a wrapper of somebody else.
            original = left_over.__wrapped__
        if not (callable(original) or hasattr(original, "__get__")):
            return
        handler = self._handler(owner, seam)
        around = handler.around(original, deferred=deferred)
        # What works later has to be known as that also where it is bound.
        is_plain = inspect.isfunction(original) and not works_later(original) and not deferred
        method = handler.method(original) if is_plain else None
        if seam.goes_on:
            setattr(owner, seam.attribute, TracedStep(original, around, owner, self, method, seam.attribute))
        else:
            setattr(owner, seam.attribute, TracedMethod(original, around, owner, self, method))
        self._note(owner, seam.attribute)

    def _wrap_subclasses(self, owner: type, seam: Seam) -> None:
        seams = self._applied.setdefault(owner, [])
        seams.append(seam)
        if len(seams) == 1:
            self._replace(owner, _HOOK, self._subclass_hook(owner, seams))
        # Only now: a class that another thread defines meanwhile is found by the one or by the other.
        for subclass in _subclasses(owner):
            with self._lock:
                self._wrap_override(subclass, owner, seam)

    def _wrap_override(self, subclass: type, owner: type, seam: Seam) -> None:
        override = vars(subclass).get(seam.attribute, _ABSENT)
        if override is _ABSENT:
            return
        is_async = inspect.iscoroutinefunction(vars(owner).get(seam.attribute)) or seam.attribute == "aforward"
        try:
            self._wrap(subclass, seam, deferred=is_async and not inspect.iscoroutinefunction(override))
        except Exception as error:  # noqa: BLE001 - a class of the application may refuse; it must work all the same
            self._complaints.about(seam.recorder, error)

    def _subclass_hook(self, owner: type[Any], seams: list[Seam]) -> Any:
        own_hook = vars(owner).get(_HOOK)

        def wrap_overrides(subclass: type[Any], /, **keyword_arguments: Any) -> None:
            if own_hook is not None:
                own_hook.__get__(None, subclass)(**keyword_arguments)
            else:
                super(owner, subclass).__init_subclass__(**keyword_arguments)
            for seam in seams:
                with self._lock:
                    if self._switch.on:
                        self._wrap_override(subclass, owner, seam)

        return SubclassHook(wrap_overrides, owner)

    def _handler(self, owner: Any, seam: Seam) -> CallHandler | NoteHandler:
        if isinstance(seam.recorder, Noter):
            return NoteHandler.of(seam.recorder, self._switch, self._complaints)
        reference = weakref.ref(owner)
        return CallHandler(seam.recorder, reference, seam.attribute, seam.within_call, self._switch, self._complaints)


def _subclasses(owner: type) -> Iterator[type]:
    direct: list[type] = type.__subclasses__(owner)
    for subclass in direct:
        yield subclass
        yield from _subclasses(subclass)
