"""A call whose reply comes in chunks says so, and when the first one came."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import dspy
import pytest
from answering import served_model

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def stream() -> None:
    """Take all that a program streams."""

    async def take() -> None:
        async for _ in dspy.streamify(dspy.Predict("question -> answer"))(question="Where?"):
            pass

    with served_model(cache=False) as model, dspy.context(lm=model):
        asyncio.run(take())


@pytest.mark.usefixtures("instrument")
def test_a_streamed_call_tells_when_its_first_chunk_came(span_exporter: InMemorySpanExporter) -> None:
    stream()
    [span] = [span for span in span_exporter.get_finished_spans() if span.name.startswith("chat")]
    assert span.attributes.get("gen_ai.request.stream") is True
    assert 0 < span.attributes["gen_ai.response.time_to_first_chunk"] < (span.end_time - span.start_time) / 1e9


@pytest.mark.usefixtures("instrument")
def test_the_times_of_chunks_are_metrics(metric_reader: InMemoryMetricReader) -> None:
    stream()
    data = metric_reader.get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    names = {metric.name for scope in scopes for metric in scope.metrics}
    wanted = {f"gen_ai.client.operation.{name}" for name in ("time_to_first_chunk", "time_per_output_chunk")}
    assert wanted <= names
