"""GEPA at the end of a budget: it stops as it does when its own budget is used up, and returns its best.

``gepa`` asks its ``stop_callbacks`` between iterations. The stop comes in the middle of one, and must not leave
``gepa.optimize``, which would lose what was found: inside an iteration it becomes an ordinary error, which ends the
iteration. Before the first one there is no best, and the stop goes on as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import wrapt

from .bounded_scopes import bounded_scopes
from .enforcement import BOUNDS, is_used_up
from .stop import BudgetStop

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..usage import UsageScope

    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    # wrapt's classes take parameters in their stubs alone.
    _ObjectProxy = wrapt.ObjectProxy

__all__ = ["stop_gepa_at_budget"]


def stop_gepa_at_budget(arguments: dict[str, Any], scope: UsageScope | None) -> None:
    """Change the arguments of ``gepa.optimize`` so that it stops where a budget around it is used up."""
    if not BOUNDS.are_set or not bounded_scopes(scope) or "adapter" not in arguments:
        return
    stopper = _Stopper(scope)
    given = arguments.get("stop_callbacks")
    others = [] if given is None else [*given] if isinstance(given, Sequence) else [given]
    arguments["stop_callbacks"] = [*others, stopper]
    arguments["adapter"] = _StoppingAdapter(arguments["adapter"], stopper)
    arguments["raise_on_exception"] = _UnlessStopped.of(bool(arguments.get("raise_on_exception", True)), stopper)


class _Stopper:
    """One of ``gepa``'s stop callbacks; it is asked before each iteration."""

    def __init__(self, scope: UsageScope | None) -> None:
        self._scope = scope
        self.has_state = False
        """Whether a first candidate was evaluated, so that there is a best."""
        self.is_stopped = False

    def __call__(self, gepa_state: Any) -> bool:
        """Return whether the run is to end here."""
        self.has_state = True
        self.is_stopped = self.is_stopped or is_used_up(self._scope)
        return self.is_stopped


class _StoppingAdapter(_ObjectProxy):
    """DSPy's adapter for ``gepa``, in which a stop is an ordinary error."""

    def __init__(self, adapter: Any, stopper: _Stopper) -> None:
        super().__init__(adapter)
        self._self_stopper = stopper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__wrapped__, name)
        return _ending_iteration(found, self._self_stopper) if name in _ASKING and callable(found) else found


_ASKING = ("evaluate", "batch_evaluate", "propose_new_texts", "make_reflective_dataset")
"""Methods of an adapter that ask language models."""


def _ending_iteration(method: Callable[..., Any], stopper: _Stopper) -> Callable[..., Any]:
    def call(*arguments: Any, **keyword_arguments: Any) -> Any:
        try:
            return method(*arguments, **keyword_arguments)
        except BudgetStop as stop:
            if not stopper.has_state:
                raise
            stopper.is_stopped = True
            raise stop.ordinary() from stop

    return call


class _UnlessStopped(int):
    """The flag ``raise_on_exception``, which is off from a stop on: the error that ends the iteration is ours."""

    _stopper: _Stopper

    @classmethod
    def of(cls, raises: bool, stopper: _Stopper) -> _UnlessStopped:
        """Return the flag as it was given, until there is a stop."""
        flag = cls(raises)
        flag._stopper = stopper
        return flag

    def __bool__(self) -> bool:
        """Return whether an exception is to end the run."""
        return self == 1 and not self._stopper.is_stopped
