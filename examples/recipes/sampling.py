"""Few traces, and all of the numbers."""

import os

import dspy

from opentelemetry import context, propagate
from opentelemetry.instrumentation.dspy import usage_scope

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")


def handle(headers: dict[str, str]) -> None:
    """A request whose headers say whether the trace it belongs to is sampled: `traceparent`, which ends in 01 or 00."""
    token = context.attach(propagate.extract(headers))
    try:
        answerer(question="Where is my parcel?")
    finally:
        context.detach(token)


if __name__ == "__main__":
    with usage_scope() as usage:
        handle({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
        for _ in range(9):
            handle({})
    print(usage.lm_calls, "calls", f"${usage.cost:.7f}")
