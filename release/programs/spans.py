"""The spans of a program, in memory, and what the other entry points load."""

from __future__ import annotations

import importlib.metadata

from desk import ask
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import opentelemetry.instrumentation.dspy as library

[point] = importlib.metadata.entry_points(group="opentelemetry_instrumentor", name="dspy")
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
point.load()().instrument(tracer_provider=provider)
ask()
for span in spans.get_finished_spans():
    scope = span.instrumentation_scope
    assert scope is not None
    assert scope.version == library.__version__ == importlib.metadata.version("opentelemetry-instrumentation-dspy")
    print(span.name)
for group in ("opentelemetry_id_generator", "opentelemetry_traces_exporter", "console_scripts"):
    mine = [each for each in importlib.metadata.entry_points(group=group) if each.value.startswith(library.__name__)]
    assert [callable(each.load()) for each in mine] == [True], group
assert library.__file__ is not None
assert "site-packages" in library.__file__, library.__file__
