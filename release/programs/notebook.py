"""What a notebook shows below a cell, drawn once more as text."""

from __future__ import annotations

from desk import ask
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, load_ipython_extension, show_trace
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

assert callable(load_ipython_extension)
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(DSPyConsoleSpanExporter()))
DSPyInstrumentor().instrument(tracer_provider=provider)
show_trace(ask())
