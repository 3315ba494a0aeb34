"""``dspy.Embedder`` makes embeddings, which the conventions have a span for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dspy
import numpy
import pytest
from opentelemetry.trace import SpanKind

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


def lengths(texts: list[str]) -> numpy.ndarray:
    """Embed texts by their lengths."""
    return numpy.array([[float(len(text)), 1.0] for text in texts])


@pytest.mark.usefixtures("instrument")
def test_an_embedder_has_a_span(span_exporter: InMemorySpanExporter) -> None:
    dspy.Embedder(lengths)(["one", "three"])
    spans = span_exporter.get_finished_spans()
    assert len(spans) == 1
    [span] = spans
    assert span.name.startswith("embeddings")
    assert span.kind is SpanKind.CLIENT
    assert span.attributes["gen_ai.operation.name"] == "embeddings"
    assert span.attributes["gen_ai.embeddings.dimension.count"] == 2
