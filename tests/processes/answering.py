"""What the processes of these tests have in common: telemetry over OTLP, a model, and a program that is asked."""

from __future__ import annotations

import os
from typing import Any

import dspy
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.dspy import DSPyInstrumentor, incoming_context

__all__ = ["QUESTIONS", "answer", "set_up", "tenant"]

QUESTIONS = ["one", "two words", "and three words", "now four words here"]


def set_up(name: str) -> None:
    """Record to the receiver of the test, under a name for this process."""
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    # As they end: a pool's workers are not told that they may leave.
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    DSPyInstrumentor().instrument()
    address = os.environ["MODEL_URL"]
    dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=address, api_key="test-key", cache=False))


def tenant(name: str) -> Any:
    """Make a baggage entry current, for good."""
    return context.attach(baggage.set_baggage("tenant", name))


def answer(question: str, carrier: Any) -> dict[str, Any]:
    """Answer in whatever process this is called in, and tell what it took."""
    with incoming_context(carrier) as usage:
        reply = dspy.Predict("question -> answer")(question=question).answer
        return {
            "answer": reply,
            "tenant": baggage.get_baggage("tenant"),
            "process": os.getpid(),
            "usage": usage.export(),
        }
