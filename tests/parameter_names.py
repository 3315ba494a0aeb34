"""What a test is called by its parameters: the same in every process, or workers would not find each other's tests."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["ADDRESS", "name_of_value"]

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""Where an object lies in memory, as ``repr`` tells it of most."""


def name_of_value(value: Any) -> str:
    """Return the ``repr`` of a parameter without the address of anything, cut at 80 characters."""
    return ADDRESS.sub("", repr(value))[:80]
