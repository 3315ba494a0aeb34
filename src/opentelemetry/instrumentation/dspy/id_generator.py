"""Trace and span ids from the operating system's randomness, which no seed of the program repeats.

The SDK's own generator draws from Python's global ``random``. DSPy and every experiment seed that: two runs with one
seed, or two requests after ``DataLoader.train_test_split(random_state=0)``, then have the same ids and become one trace
in a backend, and the program draws other numbers than it would without tracing.
"""

from __future__ import annotations

import os

from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import INVALID_SPAN_ID, INVALID_TRACE_ID

__all__ = ["SystemRandomIdGenerator"]


class SystemRandomIdGenerator(IdGenerator):
    """For ``TracerProvider(id_generator=…)``, or ``OTEL_PYTHON_ID_GENERATOR=dspy_system_random`` without any code."""

    def generate_span_id(self) -> int:
        """Return a new span id, 64 bits."""
        return int.from_bytes(os.urandom(8), "big") or self._another(INVALID_SPAN_ID, 8)

    def generate_trace_id(self) -> int:
        """Return a new trace id, 128 bits, all of them random."""
        return int.from_bytes(os.urandom(16), "big") or self._another(INVALID_TRACE_ID, 16)

    def is_trace_id_random(self) -> bool:
        """Say so in the ``random-trace-id`` flag of W3C Trace Context."""
        return True

    def _another(self, invalid: int, size: int) -> int:
        identifier = invalid
        while identifier == invalid:
            identifier = int.from_bytes(os.urandom(size), "big")
        return identifier
