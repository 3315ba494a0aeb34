"""What a request, a user, a tenant and a day cost: in the program, on the spans, and in the metrics."""

import os
from collections import Counter

import dspy

from opentelemetry.instrumentation.dspy import telemetry_context, usage_scope

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")

bills: Counter[str] = Counter()


def ask(question: str, *, user: str, tenant: str) -> str:
    # A tenant: one of a few, so on metrics and spans. A user: one of thousands, so on spans and in the bill.
    marked = telemetry_context(metric_attributes={"tenant": tenant}, attributes={"user.id": user})
    with marked, usage_scope() as usage:
        answer = answerer(question=question).answer
    bills[user] += usage.cost
    return answer


if __name__ == "__main__":
    with usage_scope() as day:
        ask("Where?", user="u-7", tenant="north")
        ask("When?", user="u-7", tenant="north")
        ask("Who?", user="u-8", tenant="south")
    for user, cost in bills.items():
        print(user, f"${cost:.7f}")
    for model, usage in day.by_model.items():
        print(model, usage.lm_calls, "calls", f"${usage.cost:.7f}")
