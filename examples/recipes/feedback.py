"""A user's thumb on the span of the answer, told by a part of the system that does not hold the answer any more."""

import os

import dspy
from opentelemetry.trace import format_span_id

from opentelemetry.instrumentation.dspy import record_feedback, span_context_of, trace_id_of

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")


def answer(question: str) -> dict[str, str | None]:
    """What is sent to the page: the answer, and which span it came from."""
    prediction = answerer(question=question)
    span = span_context_of(prediction)
    return {
        "answer": prediction.answer,
        "trace_id": trace_id_of(prediction),
        "span_id": format_span_id(span.span_id) if span else None,
    }


def thumb(said: dict[str, str | None], *, up: bool, why: str | None = None) -> bool:
    """What is done when the page sends the thumb back, here or in another process that has DSPy instrumented."""
    return record_feedback(
        trace_id=said["trace_id"],
        span_id=said["span_id"],
        name="helpful",
        value=up,
        label="up" if up else "down",
        explanation=why,
    )


if __name__ == "__main__":
    page = answer("Where is my parcel?")
    print(thumb(page, up=True, why="It told me the day."))
