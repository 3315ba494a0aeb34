"""The map: which DSPy callable is recorded by what. The only file that knows where DSPy's methods are.

Never here: ``LM.forward`` and ``aforward``, which DSPy 3.4 compares by identity (``dspy.clients.execution.prepare``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .patching import Seam
from .recorders.adapter import AdapterRecorder
from .recorders.lm import LMRecorder
from .recorders.lm_outcomes import (
    CacheRecorder,
    CallResultRecorder,
    DecisionRecorder,
    EngineRecorder,
    FailedCallRecorder,
    ReplyRecorder,
    RetryRecorder,
    StoredReplyRecorder,
    TypedResponseRecorder,
)
from .recorders.module import ModuleRecorder
from .recorders.signature import SignatureRecorder

if TYPE_CHECKING:
    from .telemetry import Telemetry

__all__ = ["seams"]

_DERIVING = ("delete", "insert", "load_state", "with_instructions", "with_updated_fields")
"""Class methods of ``Signature`` that return a new class; ``append`` and ``prepend`` go through ``insert``."""


def seams(telemetry: Telemetry) -> list[Seam]:
    """Return all seams, each with the recorder of its calls."""
    module, adapter, signature = ModuleRecorder(telemetry), AdapterRecorder(), SignatureRecorder()
    return [
        Seam("dspy", "Module", "__call__", module, subclasses=True),
        Seam("dspy", "Module", "acall", module, subclasses=True),
        Seam("dspy", "Adapter", "__call__", adapter, subclasses=True),
        Seam("dspy", "Adapter", "acall", adapter, subclasses=True),
        *(Seam("dspy", "Signature", name, signature) for name in _DERIVING),
        *_language_model_seams(telemetry),
    ]


def _language_model_seams(telemetry: Telemetry) -> list[Seam]:
    """Return the calls of language models, and where DSPy tells their outcomes: 3.4 in other places than before."""
    call, reply = LMRecorder(telemetry), ReplyRecorder()
    execution, typesafe, cache = "dspy.clients.execution", "dspy.clients.typesafe", "dspy.clients.cache"
    return [
        Seam("dspy", "BaseLM", "__call__", call, subclasses=True),
        Seam("dspy", "BaseLM", "acall", call, subclasses=True),
        Seam(execution, None, "finalize", CallResultRecorder(), optional=True),
        Seam(execution, None, "_engine", EngineRecorder(), optional=True),
        Seam(execution, None, "_delay", RetryRecorder(telemetry), optional=True),
        Seam(execution, None, "_account_failed_call", FailedCallRecorder(), optional=True),
        Seam("dspy", "BaseLM", "_process_lm_response", reply, subclasses=True, optional=True, within_call=True),
        Seam("dspy", "BaseLM", "_finalize_lm_response", TypedResponseRecorder(), optional=True, within_call=True),
        Seam(typesafe, "TypeSafe", "__call__", call, subclasses=True, optional=True),
        Seam(typesafe, "TypeSafe", "acall", call, subclasses=True, optional=True),
        Seam(typesafe, "TypeSafe", "_finish", DecisionRecorder(), optional=True, within_call=True),
        Seam(cache, "Cache", "get", CacheRecorder()),
        Seam(cache, "Cache", "_prepare_cached_response", StoredReplyRecorder(), optional=True, within_call=True),
    ]
