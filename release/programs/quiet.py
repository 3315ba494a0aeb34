"""DSPy with the API of OpenTelemetry alone: the program is what it was."""

from __future__ import annotations

from desk import ask

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, usage_scope

DSPyInstrumentor().instrument()
with usage_scope() as usage:
    answer = ask().answer
assert usage.lm_calls == 1
print(answer)
