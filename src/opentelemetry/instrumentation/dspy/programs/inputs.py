"""What the call of a module is given, by name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from .module_classes import ModuleKind

if TYPE_CHECKING:
    from ..context import Call
    from .module_classes import ModuleClass

__all__ = ["named_inputs"]

_NOT_INPUTS = frozenset({"config", "demos", "lm", "new_signature", "signature"})
"""Keyword arguments that ``Predict._forward_preprocess`` takes for itself; ``config`` may hold a key."""


def named_inputs(call: Call, module_class: ModuleClass) -> dict[str, Any]:
    """Return the arguments of a module call by name."""
    named: dict[str, Any] = {}
    if call.arguments:
        # On the class: reading it on the instance warns (``Module.__getattribute__``).
        forward = getattr(type(call.instance), "forward", None) or getattr(type(call.instance), "aforward", None)
        parameters = [*inspect.signature(forward).parameters][1:] if forward else []
        for index, value in enumerate(call.arguments):
            named[parameters[index] if index < len(parameters) else str(index)] = value
    named.update(call.keyword_arguments)
    if module_class.kind is ModuleKind.WORKFLOW:
        return named
    return {name: value for name, value in named.items() if name not in _NOT_INPUTS}
