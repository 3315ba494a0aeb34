"""A user's thumb in Phoenix and in MLflow: both know our spans by their ids.

``record_feedback`` tells OpenTelemetry, in a log event that these two do not read; this tells them directly. A span is
told by its ``SpanContext``: ``span_context_of(prediction)``, which can be pickled and kept beside the answer. The span
has to have arrived there: exporters send in batches, every five seconds.
"""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

from opentelemetry.trace import format_span_id, format_trace_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext

__all__ = ["annotate_in_phoenix", "assess_in_mlflow"]


def annotate_in_phoenix(
    address: str,
    span: SpanContext,
    name: str,
    score: float,
    *,
    label: str | None = None,
    explanation: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Annotate a span in Phoenix; said again under the same name, it replaces what was said.

    ``address`` is that of its page, such as ``http://localhost:6006``; ``headers`` are those with which it is asked,
    such as ``{"authorization": "Bearer …"}``. Raises ``urllib.error.HTTPError``: 404 for a span that has not arrived.
    """
    annotation = {
        "span_id": format_span_id(span.span_id),
        "name": name,
        "annotator_kind": "HUMAN",
        "result": {"score": score, "label": label, "explanation": explanation},
    }
    request = urllib.request.Request(
        f"{address}/v1/span_annotations?sync=true",
        json.dumps({"data": [annotation]}).encode(),
        {"content-type": "application/json", **(headers or {})},
    )
    with urllib.request.urlopen(request, timeout=30):
        pass


def assess_in_mlflow(
    address: str,
    span: SpanContext,
    name: str,
    value: float | bool | str,
    *,
    explanation: str | None = None,
    user: str = "user",
) -> None:
    """Add an assessment to a trace in MLflow, which names a trace by its id, with ``tr-`` before it.

    ``address`` is that of its server, such as ``http://localhost:5000``. It takes the package ``mlflow``, or
    ``mlflow-tracing``, which is small. Raises ``mlflow.exceptions.MlflowException`` for a trace that has not arrived.
    """
    import mlflow
    from mlflow.entities import AssessmentSource

    mlflow.set_tracking_uri(address)
    mlflow.log_feedback(
        trace_id=f"tr-{format_trace_id(span.trace_id)}",
        name=name,
        value=value,
        rationale=explanation,
        source=AssessmentSource(source_type="HUMAN", source_id=user),
    )
