"""How much an attack does: little with the ordinary tests, all of it with ``make attack``."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["IS_FULL", "SIZE", "Size"]


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of one size."""

    calls: int
    """Calls of language models, for each of the two ways to make many at the same time."""
    calls_over_http: int
    threads: int
    tasks: int
    """Calls that are under way at the same time in one event loop."""
    examples: int
    """Values that are generated for each test."""


_SIZES = {
    "small": Size(calls=600, calls_over_http=120, threads=16, tasks=100, examples=20),
    "full": Size(calls=25_000, calls_over_http=5_000, threads=16, tasks=1_000, examples=200),
}

IS_FULL = os.environ.get("ATTACK_SIZE") == "full"

SIZE = _SIZES["full" if IS_FULL else "small"]
