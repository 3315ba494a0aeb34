"""The recipe for a user's thumb, in a real Phoenix."""

from __future__ import annotations

import json
import pickle
import time
import urllib.error
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import SpanContext, format_span_id

from examples.feedback.backends import annotate_in_phoenix
from opentelemetry.instrumentation.dspy import span_context_of, trace_id_of
from screens.servers import phoenix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with phoenix(tmp_path) as address:
        yield address


def read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=110) as reply:
        return json.load(reply)["data"]


def spans_that_arrived(address: str, wanted: int) -> dict[str, Any]:
    """Return the spans by name when they are there: Phoenix takes them first and keeps them after."""
    until = time.monotonic() + 120
    spans: dict[str, Any] = {}
    while len(spans) < wanted and time.monotonic() < until:
        with suppress(urllib.error.HTTPError):  # the project is made with its first span
            found = read(f"{address}/v1/projects/default/spans?limit=100")
            spans = {each["name"]: each["context"] for each in found}
    return spans


@pytest.mark.complaints  # OpenInference's instrumentation is there too
def test_an_annotation_hangs_on_the_span_of_the_program(address: str, answered: Callable[..., Any]) -> None:
    prediction = answered(f"{address}/v1/traces")
    spans = spans_that_arrived(address, 4)
    # As another process has it: a web service that gets the click.
    span = pickle.loads(pickle.dumps(span_context_of(prediction)))
    annotate_in_phoenix(address, span, "helpful", 0.0, label="down", explanation="It is in Egypt.")
    annotate_in_phoenix(address, span, "helpful", 1.0, label="up", explanation="Right.")

    assert set(spans) == {"invoke_workflow Desk", "ChainOfThought answer", "Predict answer", "chat dummy"}
    assert spans["invoke_workflow Desk"]["span_id"] == format_span_id(span.span_id)
    assert spans["invoke_workflow Desk"]["trace_id"] == trace_id_of(prediction)

    asked = f"span_ids={format_span_id(span.span_id)}"
    [annotation] = read(f"{address}/v1/projects/default/span_annotations?{asked}")
    assert annotation["name"] == "helpful"
    assert annotation["annotator_kind"] == "HUMAN"
    assert annotation["result"] == {"score": 1.0, "label": "up", "explanation": "Right."}

    unknown = SpanContext(span.trace_id, span.span_id ^ 1, is_remote=True)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        annotate_in_phoenix(address, unknown, "helpful", 1.0)
