"""Signatures that DSPy derives from others: their names are kept for the spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..programs.signatures import note_derived

if TYPE_CHECKING:
    from ..patching import Call

__all__ = ["SignatureRecorder"]


class SignatureRecorder:
    """Notes which signature ``Signature.insert``, ``with_instructions`` and their like started from."""

    def begin(self, call: Call) -> SignatureRecording:
        """Remember the signature that the class method was called on."""
        return SignatureRecording(call.instance)


class SignatureRecording:
    """One derivation under way."""

    __slots__ = ("_base",)

    def __init__(self, base: Any) -> None:
        self._base = base

    def finish(self, result: Any) -> None:
        """Note the pair."""
        note_derived(result, self._base)

    def fail(self, error: BaseException) -> None:
        """Nothing was derived."""
