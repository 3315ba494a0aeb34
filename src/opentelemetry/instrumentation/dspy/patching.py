"""How a seam is wrapped and restored.

``Patcher.apply`` puts a ``wrapt`` wrapper in the place of a method, over a class and, where a seam says so, over every
override in its subclasses, those that exist and those that are defined later. ``Patcher.remove`` puts back the
identical objects. Wrappers that somebody else wrapped in the meantime cannot be taken out; they let calls through.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import logging
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import wrapt
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from .context import current_call

__all__ = ["Call", "Patcher", "Recorder", "Recording", "Seam"]

_logger = logging.getLogger(__name__)

_HOOK = "__init_subclass__"

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
    from types import ModuleType

    _BoundFunctionWrapper = wrapt.BoundFunctionWrapper[..., Any]
    _FunctionWrapper = wrapt.FunctionWrapper[..., Any]
else:
    # wrapt's classes take parameters in their stubs alone.
    _BoundFunctionWrapper = wrapt.BoundFunctionWrapper
    _FunctionWrapper = wrapt.FunctionWrapper


@dataclass(slots=True)
class Call:
    """One call of an instrumented callable, as a recorder sees it."""

    instance: Any
    owner: object
    """The class, or the Python module, in whose own ``__dict__`` the callable stands."""
    attribute: str
    arguments: tuple[Any, ...]
    keyword_arguments: dict[str, Any]


class Recording(Protocol):
    """What a recorder made of one call; exactly one of the two methods is called, in the context of ``begin``."""

    def finish(self, result: Any) -> None:
        """Take note of what the call returned."""

    def fail(self, error: BaseException) -> None:
        """Take note of the exception that ended the call."""


class Recorder(Protocol):
    """Turns calls of one DSPy concept into telemetry."""

    def begin(self, call: Call) -> Recording | None:
        """Start to record a call; ``None`` where there is nothing to do at its end."""


@dataclass(frozen=True, slots=True)
class Seam:
    """A DSPy callable and the recorder of its calls."""

    module: str
    owner: str | None
    """Name of a class in the module; ``None`` for a function of the module itself."""
    attribute: str
    recorder: Recorder
    subclasses: bool = False
    optional: bool = False
    """Whether some supported DSPy versions lack it, so that its absence is not worth a word."""
    within_call: bool = False
    """Whether an object calls it on itself while its own call runs: then the call is not one that goes on (super)."""


class _BoundTracedMethod(_BoundFunctionWrapper):
    """A bound method that copies and pickles as DSPy's own bound method does."""

    def __copy__(self) -> _BoundTracedMethod:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return getattr(copy.deepcopy(self._self_instance, memo), self.__name__)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return getattr, (self._self_instance, self.__name__)


class _TracedMethod(_FunctionWrapper):
    """A function wrapper that copies as a plain function does, and pickles as the name that it stands under."""

    __bound_function_wrapper__ = _BoundTracedMethod

    def __copy__(self) -> _TracedMethod:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _TracedMethod:
        return self

    def __reduce_ex__(self, protocol: Any) -> str:
        return str(self.__qualname__)


@dataclass(slots=True)
class _Patch:
    """One attribute that was replaced; the owner is held weakly so that a class of the application can go."""

    owner: Callable[[], object | None]
    attribute: str
    original: Any
    replacement: Any


_ABSENT = object()


class Patcher:
    """Applies seams and takes them off again."""

    def __init__(self) -> None:
        self._patches: list[_Patch] = []
        self._applied: dict[type, list[Seam]] = {}
        self._recording = False
        self._complained: set[tuple[str, type]] = set()

    def apply(self, seams: Iterable[Seam]) -> None:
        """Wrap every seam that the installed DSPy has; log one line for each missing one that it should have."""
        self._recording = True
        for seam in seams:
            owner = _resolve(seam)
            if owner is None or seam.attribute not in vars(owner):
                if not seam.optional:
                    _logger.warning("This DSPy has no %s.%s: its calls are not recorded.", seam.owner, seam.attribute)
                continue
            self._wrap(owner, seam)
            if seam.subclasses and isinstance(owner, type):
                self._wrap_subclasses(owner, seam)

    def remove(self) -> None:
        """Put back everything that was replaced, in reverse order."""
        self._recording = False
        while self._patches:
            patch = self._patches.pop()
            owner = patch.owner()
            if owner is None or vars(owner).get(patch.attribute) is not patch.replacement:
                continue
            if patch.original is _ABSENT:
                delattr(owner, patch.attribute)
            else:
                setattr(owner, patch.attribute, patch.original)
        self._applied.clear()

    def _replace(self, owner: Any, attribute: str, replacement: Any) -> None:
        original = vars(owner).get(attribute, _ABSENT)
        setattr(owner, attribute, replacement)
        self._patches.append(_Patch(weakref.ref(owner), attribute, original, replacement))

    def _wrap(self, owner: Any, seam: Seam) -> None:
        original = vars(owner)[seam.attribute]
        if isinstance(original, _TracedMethod) or not (callable(original) or hasattr(original, "__get__")):
            return
        handler = self._handler(weakref.ref(owner), seam, original)
        self._replace(owner, seam.attribute, _TracedMethod(original, handler))

    def _wrap_subclasses(self, owner: type, seam: Seam) -> None:
        for subclass in _subclasses(owner):
            self._wrap_override(subclass, owner, seam)
        seams = self._applied.setdefault(owner, [])
        seams.append(seam)
        if len(seams) == 1:
            self._replace(owner, _HOOK, self._subclass_hook(owner, seams))

    def _wrap_override(self, subclass: type, owner: type, seam: Seam) -> None:
        override = vars(subclass).get(seam.attribute, _ABSENT)
        if override is _ABSENT:
            return
        if inspect.iscoroutinefunction(vars(owner)[seam.attribute]) and not inspect.iscoroutinefunction(override):
            # A plain function that hands out a coroutine: the work is done when that is awaited, which is mostly
            # the coroutine of super() and recorded there.
            return
        self._wrap(subclass, seam)

    def _subclass_hook(self, owner: type[Any], seams: list[Seam]) -> Any:
        own_hook = vars(owner).get(_HOOK)

        def wrap_overrides(subclass: type[Any], /, **keyword_arguments: Any) -> None:
            if own_hook is not None:
                own_hook.__get__(None, subclass)(**keyword_arguments)
            else:
                super(owner, subclass).__init_subclass__(**keyword_arguments)
            for seam in seams:
                if self._recording:
                    self._wrap_override(subclass, owner, seam)

        return classmethod(wrap_overrides)

    def _handler(self, owner: Callable[[], object | None], seam: Seam, original: Any) -> Callable[..., Any]:
        recorder, attribute, within_call = seam.recorder, seam.attribute, seam.within_call

        def begin(instance: Any, arguments: tuple[Any, ...], keyword_arguments: dict[str, Any]) -> Recording | None:
            active = current_call()
            if (
                not within_call
                and instance is not None
                and active.instance is instance
                and (active.attribute != attribute or active.owner is not owner())
            ):
                # An override that called super(), or acall that delegates to __call__: the same call goes on.
                return None
            if not (self._recording and is_instrumentation_enabled()):
                return None
            try:
                return recorder.begin(Call(instance, owner(), attribute, arguments, keyword_arguments))
            except Exception as error:  # noqa: BLE001 - whatever goes wrong here is ours, and the call must go on
                self._complain(recorder, error)
                return None

        def finish(recording: Recording, result: Any) -> None:
            try:
                recording.finish(result)
            except Exception as error:  # noqa: BLE001 - as above
                self._complain(recorder, error)

        def fail(recording: Recording, error: BaseException) -> None:
            try:
                recording.fail(error)
            except Exception as own_error:  # noqa: BLE001 - as above
                self._complain(recorder, own_error)

        async def record_awaitable(recording: Recording, awaitable: Awaitable[Any]) -> Any:
            try:
                result = await awaitable
            except BaseException as error:
                fail(recording, error)
                raise
            finish(recording, result)
            return result

        async def call_async(
            wrapped: Callable[..., Awaitable[Any]],
            instance: Any,
            arguments: tuple[Any, ...],
            keyword_arguments: dict[str, Any],
        ) -> Any:
            recording = begin(instance, arguments, keyword_arguments)
            if recording is None:
                return await wrapped(*arguments, **keyword_arguments)
            return await record_awaitable(recording, wrapped(*arguments, **keyword_arguments))

        def call_sync(
            wrapped: Callable[..., Any],
            instance: Any,
            arguments: tuple[Any, ...],
            keyword_arguments: dict[str, Any],
        ) -> Any:
            recording = begin(instance, arguments, keyword_arguments)
            if recording is None:
                return wrapped(*arguments, **keyword_arguments)
            try:
                result = wrapped(*arguments, **keyword_arguments)
            except BaseException as error:
                fail(recording, error)
                raise
            finish(recording, result)
            return result

        return call_async if inspect.iscoroutinefunction(original) else call_sync

    def _complain(self, recorder: Recorder, error: Exception) -> None:
        """Log a failure of our own, once for each recorder and type of exception."""
        key = (type(recorder).__name__, type(error))
        if key in self._complained:
            return
        self._complained.add(key)
        _logger.warning(
            "%s failed; the DSPy call goes on without its telemetry. Further failures of this kind are not logged.",
            type(recorder).__name__,
            exc_info=error,
        )


def _resolve(seam: Seam) -> type | ModuleType | None:
    try:
        module = importlib.import_module(seam.module)
    except ImportError:
        return None
    return module if seam.owner is None else getattr(module, seam.owner, None)


def _subclasses(owner: type) -> Iterator[type]:
    direct: list[type] = type.__subclasses__(owner)
    for subclass in direct:
        yield subclass
        yield from _subclasses(subclass)


def keyword_view(names: tuple[str, ...], call: Call) -> Mapping[str, Any]:
    """Return the call's arguments by name, positional ones named in the order given."""
    return {**dict(zip(names, call.arguments, strict=False)), **call.keyword_arguments}
