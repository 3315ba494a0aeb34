"""Points on the latency graphs lead to traces: the metrics carry the ids of the spans that they measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from desk import Desk

if TYPE_CHECKING:
    import dspy
    from recorded import Recorded

SPANS = {
    "gen_ai.client.operation.duration": "chat gpt-4o-mini",
    "gen_ai.client.operation.cost": "chat gpt-4o-mini",
    "gen_ai.invoke_workflow.duration": "invoke_workflow Desk",
}


@pytest.mark.parametrize("metric", SPANS)
def test_a_measurement_names_the_span_that_it_is_of(telemetry: Recorded, lm: dspy.LM, metric: str) -> None:
    Desk()(question="Where?")
    [point] = telemetry.metric_points(metric)
    [exemplar] = point.exemplars
    context = telemetry.span(SPANS[metric]).context
    assert context is not None
    assert (exemplar.trace_id, exemplar.span_id) == (context.trace_id, context.span_id)
