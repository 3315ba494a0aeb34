"""An experiment that can be run again: the same numbers are drawn, and its trace is a new one."""

import os
import random

import dspy

from opentelemetry.instrumentation.dspy import trace_id_of

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")

if __name__ == "__main__":
    random.seed(7)
    answerer(question="Where?")
    prediction = answerer(question="When?")
    print(random.random())
    print(trace_id_of(prediction))
