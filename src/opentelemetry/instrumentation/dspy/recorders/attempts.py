"""Attempts of ``BestOfN`` and ``Refine``: their rewards, and the copies of the module that they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..programs.paths import note_copy
from ..programs.running_modules import MODULE
from ..wrapping.calls import Noter

if TYPE_CHECKING:
    from ..context import Call

__all__ = ["CopyRecorder", "RewardRecorder"]


class RewardRecorder(Noter):
    """Notes what the reward function returns to the module that asks it about its latest attempt."""

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Note the reward; anybody else who calls the function is left alone."""
        module = MODULE.of(around)
        if module is not None and module.attempts is not None and module.instance is instance:
            module.attempts.reward(result)


class CopyRecorder(Noter):
    """Notes which module a deep copy was made of."""

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Note the pair."""
        note_copy(result, instance)
