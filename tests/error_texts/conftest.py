"""Texts of errors as they are by default."""

from __future__ import annotations

import pytest

from opentelemetry.instrumentation.dspy.errors import ErrorTexts, tell_errors_by


@pytest.fixture(autouse=True)
def as_by_default() -> None:
    """An application that instrumented DSPy before may have decided otherwise."""
    tell_errors_by(ErrorTexts())
