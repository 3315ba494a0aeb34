"""Log events have severities: details are for debugging, failures are warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dspy
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.event_severities import SeverityLogger

if TYPE_CHECKING:
    import pytest
    from conftest import StartTelemetry

DETAILS = "gen_ai.client.inference.operation.details"


def test_the_details_of_a_call_have_the_severity_debug(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    telemetry = start_telemetry(capture="EVENT_ONLY")
    dspy.Predict("question -> answer")(question="Where?")
    [record] = [record for record in telemetry.logs if record.log_record.event_name == DETAILS]
    event, context = record.log_record, telemetry.span("chat gpt-4o-mini").context
    assert (event.severity_number, event.severity_text) == (SeverityNumber.DEBUG, "DEBUG")
    assert (event.trace_id, event.span_id) == (context.trace_id, context.span_id)
    assert record.instrumentation_scope.name == "opentelemetry.instrumentation.dspy"
    assert record.instrumentation_scope.schema_url


def test_a_provider_that_is_set_after_instrumenting_is_used(
    monkeypatch: pytest.MonkeyPatch, start_telemetry: StartTelemetry, lm: dspy.LM
) -> None:
    telemetry = start_telemetry(capture="EVENT_ONLY")
    DSPyInstrumentor().uninstrument()
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    DSPyInstrumentor().instrument(tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider)
    # What set_logger_provider does, without the rest of the process keeping it.
    monkeypatch.setattr("opentelemetry._logs._internal._LOGGER_PROVIDER", provider)
    dspy.Predict("question -> answer")(question="Where?")
    events = [record.log_record for record in exporter.get_finished_logs()]
    assert [(event.event_name, event.severity_text) for event in events] == [
        ("dspy.prompt", "DEBUG"),
        (DETAILS, "DEBUG"),
    ]


def test_an_event_that_has_a_severity_keeps_it_and_a_plain_record_gets_none() -> None:
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = SeverityLogger(provider.get_logger("test"), "test")
    assert logger.enabled()
    logger.emit(severity_number=SeverityNumber.ERROR, event_name="one")
    logger.emit(body="two")
    assert [record.log_record.severity_number for record in exporter.get_finished_logs()] == [
        SeverityNumber.ERROR,
        None,
    ]
