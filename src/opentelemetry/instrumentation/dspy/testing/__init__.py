"""What a DSPy program does, for its tests: spans, language model calls, tokens and cost, and bounds for them.

    from opentelemetry.instrumentation.dspy.testing import recorded_telemetry

    with recorded_telemetry() as telemetry:
        program(question="Where is it?")
    telemetry.assert_at_most(lm_calls=3, cost=0.01)

With pytest it is the fixture ``dspy_telemetry``.
"""

from __future__ import annotations

try:
    import opentelemetry.sdk.trace  # noqa: F401 - whether it is there
except ImportError as error:
    raise ImportError(
        "The telemetry of a test is kept by the OpenTelemetry SDK, which is not installed: "
        'pip install "opentelemetry-instrumentation-dspy[pytest]"'
    ) from error

from .bounds import Bounds
from .chats import Chat
from .recorded import RecordedTelemetry, recorded_telemetry

__all__ = ["Bounds", "Chat", "RecordedTelemetry", "recorded_telemetry"]
