"""A program that knows nothing of telemetry."""

from __future__ import annotations

from desk import ask

assert ask().answer == "here"
