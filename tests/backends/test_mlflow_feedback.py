"""The recipe for a user's thumb, in a real MLflow."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from opentelemetry.trace import SpanContext

from examples.feedback.backends import assess_in_mlflow
from opentelemetry.instrumentation.dspy import span_context_of, trace_id_of
from screens.servers import mlflow as mlflow_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # The first request that MLflow takes may take it a while.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
    with mlflow_server(tmp_path) as address:
        yield address


def test_an_assessment_hangs_on_the_trace_of_the_program(address: str, answered: Callable[..., Any]) -> None:
    prediction = answered(f"{address}/v1/traces", x_mlflow_experiment_id="0")
    # As another process has it: a web service that gets the click.
    span = pickle.loads(pickle.dumps(span_context_of(prediction)))
    assess_in_mlflow(address, span, "helpful", True, explanation="Right.", user="u-7")

    trace = mlflow.get_trace(f"tr-{trace_id_of(prediction)}")
    assert [each.name for each in trace.data.spans] == [
        "invoke_workflow Desk",
        "ChainOfThought answer",
        "Predict answer",
        "chat dummy",
    ]
    [assessment] = trace.info.assessments
    assert (assessment.name, assessment.value, assessment.rationale) == ("helpful", True, "Right.")
    assert (assessment.source.source_type, assessment.source.source_id) == ("HUMAN", "u-7")

    unknown = SpanContext(span.trace_id ^ 1, span.span_id, is_remote=True)
    with pytest.raises(MlflowException):
        assess_in_mlflow(address, unknown, "helpful", True)
