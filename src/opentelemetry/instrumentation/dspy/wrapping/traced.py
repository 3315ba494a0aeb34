"""What stands in a DSPy class or module in the place of a callable whose calls are recorded."""

from __future__ import annotations

import copy
import inspect
import operator
from types import MethodType
from typing import TYPE_CHECKING, Any

import wrapt
from opentelemetry.context import get_current

from ..context import call_in
from ..reading import read_past
from .switches import is_suppressed_in

if TYPE_CHECKING:
    from collections.abc import Callable

    _BoundFunctionWrapper = wrapt.BoundFunctionWrapper[..., Any]
    _FunctionWrapper = wrapt.FunctionWrapper[..., Any]
    _ClassMethod = classmethod[Any, ..., None]
else:
    _ClassMethod = classmethod
    # wrapt's classes take parameters in their stubs alone.
    _BoundFunctionWrapper = wrapt.BoundFunctionWrapper
    _FunctionWrapper = wrapt.FunctionWrapper

__all__ = ["SubclassHook", "TracedAttribute", "TracedMethod", "TracedStep", "traced_method_in"]


class BoundTracedMethod(_BoundFunctionWrapper):
    """A bound method that copies and pickles as DSPy's own bound method does."""

    def __copy__(self) -> BoundTracedMethod:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        holder = self._holder()
        copied = copy.deepcopy(holder, memo)
        # As a bound method does, without reading the attribute, of which DSPy may have something to say.
        return getattr(copied, self.__name__) if copied is holder else self._self_parent.__get__(copied, type(copied))

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return getattr, (self._holder(), self.__name__)

    def _holder(self) -> Any:
        """Return what the method was taken from: the object it is bound to, else the class."""
        bound_to = getattr(self.__wrapped__, "__self__", None)
        return self._self_owner if bound_to is None else bound_to


_bind: Any = _FunctionWrapper.__get__
"""Asked for once: ``super()`` takes its time, on every call."""


class TracedMethod(_FunctionWrapper):
    """A function wrapper that copies as a plain function does, and pickles as the name that it stands under.

    Methods are pickled this way in the contents of a class alone, which ``cloudpickle`` saves by value: it takes a
    wrapped function for the function itself, and of a wrapped class method it gets the original here.
    """

    __bound_function_wrapper__ = BoundTracedMethod

    def __init__(
        self,
        wrapped: Any,
        handler: Callable[..., Any],
        owner: object,
        patcher: object,
        method: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(wrapped, handler)
        self._self_patcher = patcher
        self._self_on_class: Any = None
        self._self_method: Any = None
        """What is bound to an instance, where that is a plain function in a class."""
        if isinstance(owner, type) and inspect.isfunction(wrapped):
            self._self_on_class = super().__get__(None, owner)
            self._self_method = method

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        # A function is one object, whatever class it is read from: "has it been overridden?" is asked with ``is``.
        if instance is None:
            return _bind(self, None, owner) if self._self_on_class is None else self._self_on_class
        method = self._self_method
        return _bind(self, instance, owner) if method is None else MethodType(method, instance)

    def belongs_to(self, patcher: object) -> bool:
        """Whether this patcher put it there."""
        return self._self_patcher is patcher

    def __copy__(self) -> TracedMethod:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TracedMethod:
        return self

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        if isinstance(self.__wrapped__, (classmethod, staticmethod)):
            return operator.itemgetter(0), ((self.__wrapped__,),)
        return str(self.__qualname__)


def traced_method_in(found: object) -> TracedMethod | None:
    """Return what stands in a class, if it is a method of ours; also where somebody else put it back.

    Whoever unwraps a wrapper of theirs that was around ours, with ``opentelemetry.instrumentation.utils.unwrap``, reads
    it from the class and writes what is inside: our method as it is bound to the class.
    """
    if isinstance(found, BoundTracedMethod):
        found = found._self_parent
    return found if isinstance(found, TracedMethod) else None


class TracedStep(TracedMethod):
    """A method that an object's own call goes on with, and that others may call in its place, as ``forward``.

    When the object's own call goes on with it the plain method is handed out: the call is recorded already, and no
    frame of ours is between. So it is where an override goes on to its parent's. Anywhere else, and where the object
    calls it once more on itself, a call of it is a call of the object.
    """

    def __init__(
        self,
        wrapped: Any,
        handler: Callable[..., Any],
        owner: object,
        patcher: object,
        method: Callable[..., Any] | None,
        name: str,
    ) -> None:
        super().__init__(wrapped, handler, owner, patcher, method)
        self._self_step = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        context = get_current()
        call = call_in(context)
        if instance is None or (call.instance is not instance and not is_suppressed_in(context)):
            return super().__get__(instance, owner)
        if call.instance is not instance:
            # Nothing is recorded here: the plain method does, without a frame of ours.
            return self.__wrapped__.__get__(instance, owner)
        step, of_class = self._self_step, type(instance)
        is_own = of_class.__dict__.get(step) is self or self._is_inherited_by(of_class)
        if is_own and not call.goes_on_with(step):
            return super().__get__(instance, owner)
        return self.__wrapped__.__get__(instance, owner)

    def _is_inherited_by(self, of_class: type) -> bool:
        """Return whether it is what a class has under the name, and not what ``super()`` finds."""
        step = self._self_step
        for each in of_class.__mro__:
            if step in each.__dict__:
                return each.__dict__[step] is self
        return False


class TracedAttribute:
    """A descriptor that hands out the callable that each instance keeps under a name, so that its calls are recorded.

    It is a data descriptor, so it comes before the instance's own ``__dict__``. It reads and writes that, and the
    instance holds exactly what it would hold without it: copies, pickles and saved files are as they were.
    """

    __slots__ = ("_handler", "_name")

    def __init__(self, name: str, handler: Callable[..., Any]) -> None:
        self._name = name
        self._handler = handler

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None or self._name not in read_past(instance, "__dict__"):
            name = owner.__name__ if owner is not None else type(instance).__name__
            raise AttributeError(f"{name!r} object has no attribute {self._name!r}")
        value = read_past(instance, "__dict__")[self._name]
        if not callable(value):
            return value

        def handle(wrapped: Any, _: Any, arguments: tuple[Any, ...], keyword_arguments: dict[str, Any]) -> Any:
            return self._handler(wrapped, instance, arguments, keyword_arguments)

        return _FunctionWrapper(value, handle)

    def __set__(self, instance: Any, value: Any) -> None:
        read_past(instance, "__dict__")[self._name] = value

    def __reduce__(self) -> tuple[Any, ...]:
        # In a class that is saved by value. What the instances keep comes before it there.
        return type(None), ()

    def __delete__(self, instance: Any) -> None:
        if self._name not in read_past(instance, "__dict__"):
            raise AttributeError(self._name)
        del read_past(instance, "__dict__")[self._name]


class SubclassHook(_ClassMethod):
    """An ``__init_subclass__`` of ours, which a class that is saved by value has as if it were not there."""

    def __init__(self, hook: Callable[..., None], owner: type) -> None:
        super().__init__(hook)
        name = "__init_subclass__"
        self._without: Any = next(vars(each)[name] for each in owner.__mro__ if name in vars(each))

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if self._without is vars(object)["__init_subclass__"]:
            return getattr, (object, "__init_subclass__")
        return operator.itemgetter(0), ((self._without,),)
