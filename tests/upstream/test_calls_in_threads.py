"""What DSPy does in threads of its own lies in the trace of the call that started them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dspy
import pytest
from answering import served_model

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@pytest.mark.usefixtures("instrument")
def test_calls_in_the_threads_of_parallel_are_in_the_trace_around(
    tracer_provider: TracerProvider, span_exporter: InMemorySpanExporter
) -> None:
    predict = dspy.Predict("question -> answer")
    examples = [dspy.Example(question=f"{number}?").with_inputs("question") for number in range(4)]
    request = tracer_provider.get_tracer("application").start_as_current_span("request")
    with served_model(cache=False) as model, dspy.context(lm=model), request as around:
        dspy.Parallel(num_threads=2)([(predict, example) for example in examples])
    chats = [span for span in span_exporter.get_finished_spans() if span.name.startswith("chat")]
    assert len(chats) == 4
    assert {span.context.trace_id for span in chats} == {around.get_span_context().trace_id}


@pytest.mark.usefixtures("instrument")
def test_calls_in_the_threads_of_an_evaluation_are_in_one_trace(span_exporter: InMemorySpanExporter) -> None:
    devset = [dspy.Example(question=f"{number}?", answer="here").with_inputs("question") for number in range(4)]
    evaluate = dspy.Evaluate(
        devset=devset, metric=lambda example, prediction, trace=None: True, num_threads=2, display_progress=False
    )
    with served_model(cache=False) as model, dspy.context(lm=model):
        evaluate(dspy.Predict("question -> answer"))
    chats = [span for span in span_exporter.get_finished_spans() if span.name.startswith("chat")]
    assert len(chats) == 4
    assert len({span.context.trace_id for span in chats}) == 1
