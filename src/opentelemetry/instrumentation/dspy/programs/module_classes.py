"""What the class of a module tells about its calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_WORKFLOW_NAME

from .. import semconv
from ..encodable import encodable
from ..later import works_later
from .signatures import cut_label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

__all__ = ["ModuleClass", "ModuleKind", "classify"]

MAX_POINTS = 1_000
"""Signatures of which the attributes of metric points are kept for one class of modules."""

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
    label: str
    """The same, as far as an attribute of metrics has room for it."""
    kind: ModuleKind
    is_own: bool
    """Whether DSPy defines the class itself, not the application."""
    is_predictor: bool
    hides_reasoning: bool
    """Whether its predictor has a ``reasoning`` output that the signature given by the user had not."""
    makes_attempts: bool
    """Whether it runs copies of its ``module`` until the reward of one is good enough."""
    forward_works_later: bool
    """Whether its ``forward`` is a coroutine or generator function: what the call operator hands out does the work."""
    names: Mapping[str, str]
    """What the conventions call a workflow, for the spans inside; nothing of other classes."""
    _points: dict[str | None, dict[str, AttributeValue]] = field(default_factory=dict, compare=False)

    def point(self, signature: str | None) -> Mapping[str, AttributeValue]:
        """Return the attributes of the metric points of a call with a named signature: never to be changed in place."""
        point = self._points.get(signature)
        if point is None:
            point = {semconv.DSPY_MODULE_NAME: self.name}
            if signature is not None:
                point[semconv.DSPY_SIGNATURE_NAME] = signature
            if len(self._points) < MAX_POINTS:
                self._points[signature] = point
        return point


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
        label=cut_label(encodable(module_class.__name__)),
        kind=kind,
        is_own=module_class.__module__.partition(".")[0] == "dspy",
        is_predictor="Predict" in ancestors,
        hides_reasoning="ChainOfThought" in ancestors,
        makes_attempts=bool(ancestors & {"BestOfN", "Refine"}),
        forward_works_later=works_later(getattr(module_class, "forward", None)),
        names={GEN_AI_WORKFLOW_NAME: module_class.__name__} if kind is ModuleKind.WORKFLOW else {},
    )
