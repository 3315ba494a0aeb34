"""Attempts of ``BestOfN`` and ``Refine``: their rewards, and the copies of the module that they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..context import current_call
from ..programs.paths import note_copy

if TYPE_CHECKING:
    from ..calls import Call
    from ..programs.attempts import Attempts

__all__ = ["CopyRecorder", "RewardRecorder"]


class RewardRecorder:
    """Notes what the reward function returns to the module that asks it about its latest attempt."""

    def begin(self, call: Call) -> RewardRecording | None:
        """Find the attempts of the call under way; anybody else who calls the function is left alone."""
        module = current_call().module
        if module is None or module.attempts is None or module.instance is not call.instance:
            return None
        return RewardRecording(module.attempts)


class RewardRecording:
    """One call of a reward function under way."""

    __slots__ = ("_attempts",)

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    def finish(self, result: Any) -> None:
        """Note the reward."""
        self._attempts.reward(result)

    def fail(self, error: BaseException) -> None:
        """There is no reward."""


class CopyRecorder:
    """Notes which module a deep copy was made of."""

    def begin(self, call: Call) -> CopyRecording:
        """Remember the module that is being copied."""
        return CopyRecording(call.instance)


class CopyRecording:
    """One deep copy under way."""

    __slots__ = ("_original",)

    def __init__(self, original: Any) -> None:
        self._original = original

    def finish(self, result: Any) -> None:
        """Note the pair."""
        note_copy(result, self._original)

    def fail(self, error: BaseException) -> None:
        """Nothing was copied."""
