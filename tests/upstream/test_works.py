"""What every instrumentation of DSPy has: were this not so, the other tests would fail for no reason of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dspy
import pytest
from answering import served_model

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@pytest.mark.usefixtures("instrument")
def test_a_call_of_a_model_has_a_span_with_its_tokens_and_a_duration(
    span_exporter: InMemorySpanExporter, metric_reader: InMemoryMetricReader
) -> None:
    with served_model(cache=False) as model, dspy.context(lm=model):
        assert dspy.Predict("question -> answer")(question="Where?").answer == "here"
    [span] = [span for span in span_exporter.get_finished_spans() if span.name.startswith("chat")]
    assert span.attributes["gen_ai.usage.input_tokens"] == 12
    data = metric_reader.get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    assert "gen_ai.client.operation.duration" in {metric.name for scope in scopes for metric in scope.metrics}
