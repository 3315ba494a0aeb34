"""docs/recipes/feedback.md: a thumb is an event on the span of the answer, by the ids that the page was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recorded import attributes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from conftest import StartTelemetry


def test_a_thumb_stands_on_the_span_of_the_answer(
    start_telemetry: StartTelemetry, run_here: Callable[[str], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry = start_telemetry(capture="EVENT_ONLY")
    run_here("feedback")

    assert capsys.readouterr().out == "True\n"
    span = telemetry.span("Predict question -> answer")
    [record] = [
        record.log_record for record in telemetry.logs if record.log_record.event_name == "gen_ai.evaluation.result"
    ]
    assert (record.trace_id, record.span_id) == (span.context.trace_id, span.context.span_id)
    assert dict(record.attributes or {}) == {
        "gen_ai.evaluation.name": "helpful",
        "gen_ai.evaluation.score.value": 1.0,
        "gen_ai.evaluation.score.label": "up",
        "gen_ai.evaluation.explanation": "It told me the day.",
    }
    assert "It told me the day." not in str(attributes_of(span))
