"""Signatures that DSPy derives from others: their names are kept for the spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..programs.signatures import note_derived
from ..wrapping.calls import Noter

if TYPE_CHECKING:
    from ..context import Call

__all__ = ["SignatureRecorder"]


class SignatureRecorder(Noter):
    """Notes which signature ``Signature.insert``, ``with_instructions`` and their like started from."""

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Note the pair: the class method was called on the one and returned the other."""
        note_derived(result, instance)
