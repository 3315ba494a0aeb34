"""Language models and embedders that send their requests by themselves: what stops others, in DSPy, never sees them.

DSPy's own client looks into its cache first, and is stopped behind that. A class of the application that overrides the
call has no cache of DSPy's, so that it is counted, and stopped, before its own code runs; unless that code goes to
another language model, or to DSPy's client by ``super()``, which is stopped there. That shows when it runs for the
first time.
"""

from __future__ import annotations

import weakref
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from ..reading import read
from .enforcement import admit

if TYPE_CHECKING:
    from ..context import Call
    from ..language_models.lm_calls import LMCall

__all__ = ["admit_litellm_request", "admit_own_embedding", "admit_own_request", "note_computed", "note_delegation"]

_EXECUTION: Final = "dspy.clients.execution"
_CLIENT: Final = ("dspy.clients.lm", "dspy.clients.base_lm")
_DUMMIES: Final = "dspy.utils.dummies"
_DECISIONS: Final = "dspy.clients.typesafe"
_STEPS: Final = ("__call__", "acall", "forward", "aforward")
_EMBEDDERS: Final = "dspy.clients.embedding"
_EMBEDDING_STEPS: Final = ("__call__", "acall")

_delegating: weakref.WeakSet[type] = weakref.WeakSet()


def note_delegation(outer: LMCall | None) -> None:
    """Take note that the call of a language model goes to DSPy's client, or to another language model."""
    if outer is not None:
        _delegating.add(type(outer.language_model))


def admit_own_request(call: Call, outer: LMCall | None) -> None:
    """Let a language model that sends by itself run; raise ``BudgetStop`` where a bound is reached.

    ``call`` is one of a language model that begins, ``outer`` the one that it is a part of.
    """
    note_delegation(outer)
    if type(call.instance) not in _delegating and not _goes_through_client(call.instance):
        admit(call)


def note_computed(embedder: object) -> None:
    """Take note that an embedder goes to what DSPy computes embeddings with."""
    _delegating.add(type(embedder))


def admit_own_embedding(call: Call) -> None:
    """Let an embedder run that overrides the call; raise ``BudgetStop`` where a bound is reached."""
    if _is_own_embedder(call.instance) and type(call.instance) not in _delegating:
        admit(call)


def _is_own_embedder(embedder: object) -> bool:
    """Return whether code of the application's answers its calls, which may send by itself."""
    owners = [next((each for each in type(embedder).__mro__ if step in vars(each)), None) for step in _EMBEDDING_STEPS]
    return any(owner is not None and owner.__module__ != _EMBEDDERS for owner in owners)


def admit_litellm_request() -> None:
    """Let LiteLLM send a request for DSPy; from 3.4 on DSPy was stopped before it comes here."""
    if not _has_execution():
        admit()


def _goes_through_client(language_model: Any) -> bool:
    """Return whether all that it sends passes where ``admit`` is called."""
    kind = type(language_model)
    if kind.__module__ == _DECISIONS:
        return True
    known = (*_CLIENT, _DUMMIES) if _has_execution() else _CLIENT
    own = read(language_model, "__dict__", {})
    owners = [next((each for each in kind.__mro__ if step in vars(each)), None) for step in _STEPS]
    is_client = any(each.__module__ == _CLIENT[0] and each.__name__ == "LM" for each in kind.__mro__)
    return (
        is_client
        and not any(step in own for step in _STEPS)
        and all(owner is None or owner.__module__ in known for owner in owners)
    )


def _has_execution() -> bool:
    """Return whether this DSPy makes its requests where 3.4 does, and can be stopped there."""
    if find_spec(_EXECUTION) is None:
        return False
    from dspy.clients import execution

    return hasattr(execution, "_engine")
