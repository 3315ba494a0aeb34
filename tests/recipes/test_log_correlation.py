"""docs/recipes/log-correlation.md: the program's own log lines name the trace in which they were written."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from recipes.running import run

if TYPE_CHECKING:
    from otlp_receiver import OtlpReceiver
    from otlp_records import SpanRecord

LINE = re.compile(r"trace_id=(\S+) span_id=(\S+) .* - a question of 19 characters")
FILTERED_LINE = re.compile(r"^INFO (\S+) (\S+) shop a question of 19 characters$", re.MULTILINE)


LOGGING = "opentelemetry.instrumentation.logging"


def test_lines_and_log_records_name_the_span_without_a_change_of_the_program(
    receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    pytest.importorskip(LOGGING, reason="On the first releases of Python 3.12 it is not installed (pyproject.toml).")
    settings["OTEL_PYTHON_LOG_CORRELATION"] = "true"
    said = run(["opentelemetry-instrument", "python", "examples/recipes/log_correlation.py"], settings).stderr

    [desk] = [span for span in receiver.spans if span.name == "invoke_workflow Desk"]
    assert LINE.findall(said) == [ids_of(desk)]
    [record] = receiver.logs
    assert (record.body, record.trace_id, record.span_id) == ("a question of 19 characters", *ids_of(desk))


def test_a_filter_and_a_processor_of_structlog_name_it_too(receiver: OtlpReceiver, settings: dict[str, str]) -> None:
    ended = run(["opentelemetry-instrument", "python", "examples/recipes/log_filter.py"], settings)

    desks = {span.name: ids_of(span) for span in receiver.spans if span.name.startswith("invoke_workflow")}
    assert FILTERED_LINE.findall(ended.stderr) == [desks["invoke_workflow Desk"]]
    event = json.loads(ended.stdout)
    assert (event["trace_id"], event["span_id"]) == desks["invoke_workflow DeskWithStructlog"]
    assert (event["event"], event["characters"]) == ("a question", 19)


def ids_of(span: SpanRecord) -> tuple[str, str]:
    return span.trace_id, span.span_id
