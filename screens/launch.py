"""Runs the program under one instrumentation: ``python -m screens.launch ours http://127.0.0.1:…/v1``.

Each is set up as its own documents say. Where the spans go is told by OpenTelemetry's and MLflow's own variables. The
last line tells how many spans have ended, where the instrumentation can be asked.
"""

from __future__ import annotations

import atexit
import sys
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from screens.program import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from opentelemetry.sdk.trace import TracerProvider

    Conversation = Callable[[], AbstractContextManager[object]]

ENDED = "spans ended: "
"""What the last line begins with."""

USER = "u-7"
_FLUSH_MILLISECONDS = 200_000


class _Counter(SpanProcessor):
    def __init__(self) -> None:
        self.ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.ended += 1


_COUNTER = _Counter()


def _conversation() -> str:
    """Return an id of this instrumentation's own: Phoenix has each session in one project only."""
    return f"c-{sys.argv[1]}"


def _ours() -> Conversation:
    from opentelemetry.instrumentation.dspy import DSPyInstrumentor, telemetry_context

    DSPyInstrumentor().instrument(tracer_provider=_exporting())
    return lambda: telemetry_context(conversation_id=_conversation(), attributes={"user.id": USER})


def _openinference() -> Conversation:
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.dspy import DSPyInstrumentor

    DSPyInstrumentor().instrument(tracer_provider=_exporting())
    return lambda: using_attributes(session_id=_conversation(), user_id=USER)


def _autolog() -> Conversation:
    import mlflow

    mlflow.dspy.autolog(log_traces_from_compile=True, log_compiles=True, log_evals=True)
    session = {"mlflow.trace.session": _conversation(), "mlflow.trace.user": USER}
    return lambda: mlflow.tracing.context(metadata=session)


def _exporting() -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    provider.add_span_processor(_COUNTER)
    # At its end a provider waits for half a minute, which is not enough for MLflow on a busy machine.
    atexit.register(provider.force_flush, _FLUSH_MILLISECONDS)
    return provider


INSTRUMENTATIONS = {"ours": _ours, "openinference": _openinference, "autolog": _autolog}


if __name__ == "__main__":
    run(sys.argv[2], INSTRUMENTATIONS[sys.argv[1]]())
    print(f"{ENDED}{_COUNTER.ended}")
