"""The attempts of a module that runs another one several times and keeps the best: ``BestOfN`` and ``Refine``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import semconv
from .paths import original_of

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from ..context import Opening
    from ..held_spans import HeldSpan, Holdable

__all__ = ["Attempts"]


class Attempts:
    """What one call of such a module has tried so far.

    The reward of an attempt is known only after the attempt has returned. So its span, which ended then, is held until
    the reward is there, until the next attempt begins (the reward function failed), or until the whole call ends.
    """

    __slots__ = ("_best_reward", "_count", "_latest", "_original", "below")

    def __init__(self, original: object) -> None:
        self._original = original
        """The module that the attempts run copies of."""
        self._count = 0
        self._best_reward: float | None = None
        self._latest: HeldSpan | None = None
        self.below: Opening | None = None

    def has(self, module: object) -> bool:
        """Return whether a call of the module is an attempt, and not of one that gives advice on them."""
        return self._original is not None and original_of(module) is self._original

    def begin(self, opened: Holdable) -> None:
        """Number an attempt that begins, and hold its span."""
        self._let_go()
        opened.attributes[semconv.DSPY_ATTEMPT_INDEX] = self._count
        self._count += 1
        self._latest = opened.hold()

    def reward(self, reward: Any) -> None:
        """Take note of the reward of the latest attempt."""
        try:
            value = float(reward)
        except (TypeError, ValueError):
            return
        if self._best_reward is None or value > self._best_reward:
            self._best_reward = value
        if self._latest is not None:
            self._latest.set_attribute(semconv.DSPY_ATTEMPT_REWARD, value)
            self._let_go()

    def told(self) -> dict[str, AttributeValue]:
        """Return what the span of the whole call tells."""
        attributes: dict[str, AttributeValue] = {semconv.DSPY_ATTEMPTS_COUNT: self._count}
        if self._best_reward is not None:
            attributes[semconv.DSPY_ATTEMPTS_BEST_REWARD] = self._best_reward
        return attributes

    def end(self, error: BaseException | None = None) -> None:
        """Let go of the last attempt, whatever ended the call."""
        self._let_go()

    def _let_go(self) -> None:
        latest, self._latest = self._latest, None
        if latest is not None:
            latest.let_go()
