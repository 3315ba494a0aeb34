"""A reply from DSPy's cache is no inference: no time of the model's, and no tokens, are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from answering import served_model

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

DURATION = "gen_ai.client.operation.duration"


def points(reader: InMemoryMetricReader, name: str) -> list[Any]:
    """The points of a metric, one for each set of attributes."""
    data = reader.get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    metrics = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
    return [point for metric in metrics for point in metric.data.data_points]


@pytest.mark.usefixtures("instrument")
def test_durations_of_the_cache_are_told_from_those_of_the_model(metric_reader: InMemoryMetricReader) -> None:
    with served_model() as model, dspy.context(lm=model):
        for _ in range(2):
            dspy.Predict("question -> answer")(question="Where?")
    requests = [point for point in points(metric_reader, DURATION) if point.count == 1]
    assert requests, "one point counts the request and the hit alike"
    assert len({frozenset(point.attributes.items()) for point in requests}) == len(requests)


@pytest.mark.usefixtures("instrument")
def test_the_span_of_a_hit_is_told_from_that_of_a_request(span_exporter: InMemorySpanExporter) -> None:
    with served_model() as model, dspy.context(lm=model):
        for _ in range(2):
            dspy.Predict("question -> answer")(question="Where?")
    chats = [span for span in span_exporter.get_finished_spans() if span.name.startswith("chat")]
    told = [{name for name in span.attributes if not name.startswith("gen_ai.usage.")} for span in chats]
    values = [{name: span.attributes[name] for name in names} for span, names in zip(chats, told, strict=True)]
    assert len(values) < 2 or values[0] != values[1]
