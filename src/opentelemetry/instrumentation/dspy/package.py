"""The range of DSPy versions that this library instruments."""

from __future__ import annotations

_instruments = ("dspy >= 2.6.27, < 4",)
