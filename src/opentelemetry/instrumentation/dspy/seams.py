"""The map: which DSPy callable is recorded by what. The only file that knows where DSPy's methods are.

Never here: ``LM.forward`` and ``aforward``, which DSPy 3.4 compares by identity (``dspy.clients.execution.prepare``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .patching import Seam
from .recorders.adapter import AdapterRecorder
from .recorders.lm import CallResultRecorder, LMRecorder
from .recorders.module import ModuleRecorder
from .recorders.signature import SignatureRecorder

if TYPE_CHECKING:
    from .telemetry import Telemetry

__all__ = ["seams"]

_DERIVING = ("delete", "insert", "load_state", "with_instructions", "with_updated_fields")
"""Class methods of ``Signature`` that return a new class; ``append`` and ``prepend`` go through ``insert``."""


def seams(telemetry: Telemetry) -> list[Seam]:
    """Return all seams, each with the recorder of its calls."""
    module, language_model, adapter = ModuleRecorder(telemetry), LMRecorder(telemetry), AdapterRecorder()
    signature = SignatureRecorder()
    return [
        Seam("dspy.primitives.module", "Module", "__call__", module, subclasses=True),
        Seam("dspy.primitives.module", "Module", "acall", module, subclasses=True),
        Seam("dspy.clients.base_lm", "BaseLM", "__call__", language_model, subclasses=True),
        Seam("dspy.clients.base_lm", "BaseLM", "acall", language_model, subclasses=True),
        Seam("dspy.clients.execution", None, "finalize", CallResultRecorder(), optional=True),
        Seam("dspy.adapters.base", "Adapter", "__call__", adapter, subclasses=True),
        Seam("dspy.adapters.base", "Adapter", "acall", adapter, subclasses=True),
        *(Seam("dspy.signatures.signature", "Signature", name, signature) for name in _DERIVING),
    ]
