"""The same spans in two backends at once."""

import os

import dspy
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

provider = TracerProvider()
for address in (os.environ.get("PHOENIX", "http://localhost:6006"), os.environ.get("JAEGER", "http://localhost:4318")):
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces")))
DSPyInstrumentor().instrument(tracer_provider=provider)

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")

if __name__ == "__main__":
    print(answerer(question="Where?").answer)
