"""What a program is called on a bill: by the class or the signature of the outermost module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .module_classes import ModuleKind
from .program_signatures import signature_of
from .signatures import cut_label

if TYPE_CHECKING:
    from .running_modules import RunningModule

__all__ = ["program_name"]


def program_name(module: RunningModule) -> str:
    """Return the name of the program that a running module is part of, at most 80 characters.

    The class of the outermost module where the application defines it. DSPy's own classes say little of a program: one
    goes by its signature, by the name of that or, but for agents, in its text form: names of fields, no instructions.
    """
    outermost = module.outermost
    module_class = outermost.module_class
    if module_class.is_own:
        signature = signature_of(outermost.instance, module_class)
        if signature is not None and (signature.name is not None or module_class.kind is not ModuleKind.AGENT):
            return cut_label(signature.label)
    return module_class.label
