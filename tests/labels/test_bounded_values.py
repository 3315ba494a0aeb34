"""Distinct values on metrics are bounded: the first so many stay, and further ones count together, told of once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from labelled_points import DURATION, labels_on_each

from opentelemetry.instrumentation.dspy import telemetry_context, usage_scope
from opentelemetry.instrumentation.dspy.labels import call_labels, given
from opentelemetry.instrumentation.dspy.labels.bounded_values import BoundedValues
from opentelemetry.instrumentation.dspy.language_models import known_models

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from recorded import Recorded

pytestmark = pytest.mark.complaints

VARIABLE = "OTEL_INSTRUMENTATION_DSPY_METRIC_VALUES"


def counted(telemetry: Recorded, name: str) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for point in telemetry.metric_points(DURATION):
        value = (point.attributes or {}).get(name)
        found[value] = found.get(value, 0) + point.count
    return found


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture
def telemetry(start_telemetry: StartTelemetry, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """With a bound of three values."""
    monkeypatch.setenv(VARIABLE, "3")
    dspy.configure(lm=DummyLM([{"answer": "here"}] * 100))
    return start_telemetry()


def test_tenants_beyond_the_bound_count_as_other_and_sums_stay_exact(
    telemetry: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (0, 1, 2, 3, 4, 5, 0, 5):
        with telemetry_context(metric_attributes={"tenant": f"t-{number}"}), usage_scope() as usage:
            dspy.settings.lm("Where?")
        assert usage.lm_calls == 1
    assert counted(telemetry, "tenant") == {"t-0": 2, "t-1": 1, "t-2": 1, "other": 4}
    assert [(span.attributes or {})["tenant"] for span in telemetry.spans][-1] == "t-5"
    assert warnings(caplog) == [
        "tenant has had 3 different values on metrics. Calls with further ones count as 'other' from now on, in this "
        "process; spans and usage_scope still tell them apart. Give a group in its place, such as a plan or a region, "
        f"or set {VARIABLE} to a larger number: each value makes a time series of every metric that it stands on, for "
        "each model, program and prompt."
    ]


def test_each_attribute_has_a_bound_and_a_warning_of_its_own(
    telemetry: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        with telemetry_context(metric_attributes={"tenant": number, "plan": number % 2}):
            dspy.settings.lm("Where?")
        with telemetry_context(metric_attributes={"region": number}):
            dspy.settings.lm("Where?")
    assert counted(telemetry, "plan") == {0: 3, 1: 2, None: 5}
    assert counted(telemetry, "tenant") == {0: 1, 1: 1, 2: 1, "other": 2, None: 5}
    assert counted(telemetry, "region") == {0: 1, 1: 1, 2: 1, "other": 2, None: 5}
    assert [text.partition(" has ")[0] for text in warnings(caplog)] == ["tenant", "region"]


def test_programs_and_prompts_that_are_made_at_run_time_are_bounded(
    telemetry: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(6):
        signature = type(f"Row{number}", (dspy.Signature,), {"__doc__": "Answer.", **fields()})
        dspy.Predict(signature)(question="Where?")
    assert counted(telemetry, "dspy.program") == {"Row0": 1, "Row1": 1, "Row2": 1, "other": 3}
    assert counted(telemetry, "gen_ai.prompt.name") == {"Row0": 1, "Row1": 1, "Row2": 1, "other": 3}
    assert telemetry.named("chat dummy")[-1].attributes["gen_ai.prompt.name"] == "Row5"  # type: ignore[index]
    told = warnings(caplog)
    assert [text.partition(" has ")[0] for text in told] == ["dspy.program", "gen_ai.prompt.name"]
    assert all("Give classes and signatures that are made at run time one name" in text for text in told)


def fields() -> dict[str, Any]:
    return {
        "__annotations__": {"question": str, "answer": str},
        "question": dspy.InputField(),
        "answer": dspy.OutputField(),
    }


def test_there_are_twenty_names_of_the_applications_own(telemetry: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(23):
        with telemetry_context(metric_attributes={f"name-{number}": 1}):
            dspy.settings.lm("Where?")
    names = {name for point in labels_on_each(telemetry, DURATION) for name in point}
    assert names == {f"name-{number}" for number in range(20)}
    [told] = warnings(caplog)
    assert "Metrics have 20 attributes of your own" in told
    assert "name-20 stands on none" in told


def test_another_instrumentation_begins_anew(telemetry: Recorded, start_telemetry: StartTelemetry) -> None:
    from opentelemetry.instrumentation.dspy import DSPyInstrumentor

    for number in range(5):
        with telemetry_context(metric_attributes={"tenant": number}):
            dspy.settings.lm("Where?")
    DSPyInstrumentor().uninstrument()
    again = start_telemetry()
    with telemetry_context(metric_attributes={"tenant": 4}):
        dspy.settings.lm("Where?")
    assert counted(again, "tenant") == {4: 1}


def test_tables_that_are_full_begin_anew_and_points_stay_what_they_are(
    telemetry: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "MAX_KEPT", 2)
    monkeypatch.setattr(call_labels, "MAX_KEPT", 2)
    monkeypatch.setattr(known_models, "MAX_POINTS", 2)
    given._kept.clear()
    for _ in range(2):
        for tenant in ("north", "south", "east"):
            with telemetry_context(metric_attributes={"tenant": tenant}):
                dspy.settings.lm("Where?")
    assert counted(telemetry, "tenant") == {"north": 2, "south": 2, "east": 2}
    assert len(given._kept) <= 2


def test_the_default_bound_is_two_hundred(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry()
    dspy.configure(lm=DummyLM([{"answer": "here"}] * 300))
    for number in range(203):
        with telemetry_context(metric_attributes={"tenant": number}):
            dspy.settings.lm("Where?")
    found = counted(telemetry, "tenant")
    assert (len(found), found["other"]) == (201, 3)


def test_what_a_store_takes_for_the_same_value_is_the_first_of_them() -> None:
    values = BoundedValues(3, VARIABLE)
    told = [values.of("trial", value) for value in (True, "true", 7, "7", 7.0, "0.5", 0.5, 1e20, True)]
    assert [*map(repr, told)] == ["True", "True", "7", "7", "7", "'0.5'", "'0.5'", "'other'", "True"]
