"""What the class of a module tells about its calls."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from enum import Enum
from weakref import WeakKeyDictionary

__all__ = ["ModuleClass", "ModuleKind", "classify"]

_AGENTS = frozenset({"ReAct", "ReActV2", "CodeAct", "RLM", "Avatar"})


class ModuleKind(Enum):
    """What a module is to somebody who reads a trace."""

    WORKFLOW = "workflow"
    AGENT = "agent"
    BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class ModuleClass:
    """What is the same for all calls of one class."""

    name: str
    kind: ModuleKind
    is_own: bool
    """Whether DSPy defines the class itself, not the application."""
    is_predictor: bool
    hides_reasoning: bool
    """Whether its predictor has a ``reasoning`` output that the signature given by the user had not."""
    makes_attempts: bool
    """Whether it runs copies of its ``module`` until the reward of one is good enough."""
    forward_is_awaited: bool
    """Whether its ``forward`` is a coroutine function: what the call operator hands out does the work later."""


_classes: WeakKeyDictionary[type, ModuleClass] = WeakKeyDictionary()


def classify(module_class: type) -> ModuleClass:
    """Return what a module class is, by DSPy's classes among its ancestors."""
    known = _classes.get(module_class)
    if known is None:
        known = _classify(module_class)
        _classes[module_class] = known
    return known


def _classify(module_class: type) -> ModuleClass:
    ancestors = {
        ancestor.__name__ for ancestor in module_class.__mro__ if ancestor.__module__.partition(".")[0] == "dspy"
    } - {"Module", "BaseModule", "Parameter"}
    kind = ModuleKind.AGENT if ancestors & _AGENTS else ModuleKind.BUILT_IN if ancestors else ModuleKind.WORKFLOW
    return ModuleClass(
        name=module_class.__name__,
        kind=kind,
        is_own=module_class.__module__.partition(".")[0] == "dspy",
        is_predictor="Predict" in ancestors,
        hides_reasoning="ChainOfThought" in ancestors,
        makes_attempts=bool(ancestors & {"BestOfN", "Refine"}),
        forward_is_awaited=inspect.iscoroutinefunction(getattr(module_class, "forward", None)),
    )
