"""No telemetry of one block, and none from here on."""

import os

import dspy
from opentelemetry.instrumentation.utils import suppress_instrumentation

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, usage_scope

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")

if __name__ == "__main__":
    with usage_scope() as usage:
        answerer(question="Where?")
        with suppress_instrumentation():
            answerer(question="Who am I?")
        DSPyInstrumentor().uninstrument()
        answerer(question="When?")
    print(usage.lm_calls, "of 3 calls were counted")
