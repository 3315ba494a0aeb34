"""What a metric of ``dspy.Evaluate`` gives is an evaluation result, which the conventions have an event for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter


def is_right(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> float:
    """Judge an answer."""
    return float(example.answer == prediction.answer)


@pytest.mark.usefixtures("instrument")
def test_each_example_has_its_result(log_exporter: InMemoryLogRecordExporter) -> None:
    devset = [
        dspy.Example(question=f"{answer}?", answer=answer).with_inputs("question") for answer in ("here", "there")
    ]
    evaluate = dspy.Evaluate(devset=devset, metric=is_right, num_threads=1, display_progress=False)
    with dspy.context(lm=DummyLM([{"answer": "here"}] * 2)):
        evaluate(dspy.Predict("question -> answer"))
    records = [log.log_record for log in log_exporter.get_finished_logs()]
    results = [record for record in records if record.event_name == "gen_ai.evaluation.result"]
    assert [record.attributes["gen_ai.evaluation.name"] for record in results] == ["is_right"] * 2
    assert [record.attributes["gen_ai.evaluation.score.value"] for record in results] == [1.0, 0.0]
    assert all(record.trace_id for record in results)
