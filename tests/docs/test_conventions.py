"""All that programs emit is what the conventions say, or stands in a list with its reason."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from generator.beyond_conventions import BEYOND, EVERYWHERE, KEPT
from generator.conventions import FOREIGN, Conventions, deviations
from generator.emitted import Emitted
from generator.places import is_content
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, openai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.semconv.attributes import error_attributes, exception_attributes, server_attributes
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.util.genai.handler import TelemetryHandler
from parameter_names import name_of_value

from opentelemetry.instrumentation.dspy import semconv
from opentelemetry.instrumentation.dspy.telemetry import SCHEMA_URL

EMITTED, CONVENTIONS = Emitted.read(), Conventions.read()

CHAT = "span chat"


def changed(place: str, **facts: Any) -> Emitted:
    """What is emitted, with something else at one place."""
    places = copy.deepcopy(EMITTED.places)
    places[place].update(facts)
    return Emitted(places)


def with_name(place: str, name: str, *types: str) -> Emitted:
    """What is emitted, with one more name at one place."""
    return changed(place, names={**EMITTED.places[place]["names"], name: [*types]})


def test_what_programs_emit_is_what_the_conventions_say() -> None:
    assert deviations(EMITTED, CONVENTIONS) == []


@pytest.mark.parametrize(
    ("emitted", "deviation"),
    [
        (with_name(CHAT, "gen_ai.invented", "string"), f"gen_ai.invented is no attribute of the conventions on {CHAT}"),
        (with_name(CHAT, "gen_ai.request.seed", "string"), f"gen_ai.request.seed is string on {CHAT}"),
        (with_name(CHAT, "gen_ai.tool.name", "string"), f"gen_ai.tool.name has no place on {CHAT}"),
        (changed(CHAT, always=["gen_ai.operation.name"]), f"gen_ai.provider.name is required on {CHAT}"),
        (
            changed("metric gen_ai.invoke_agent.duration", unit=["ms"]),
            "unit of gen_ai.invoke_agent.duration is ['ms'], not s",
        ),
        (
            changed("log event gen_ai.client.operation.exception", severity=["ERROR"]),
            "severity of gen_ai.client.operation.exception is ['ERROR'], not WARN",
        ),
        (
            Emitted({"metric gen_ai.client.invented": {"names": {}, "always": []}}),
            "gen_ai.client.invented is no metric of the conventions",
        ),
    ],
    ids=name_of_value,
)
def test_what_is_otherwise_is_named(emitted: Emitted, deviation: str) -> None:
    assert deviation in deviations(emitted, CONVENTIONS)


def test_what_the_conventions_replace_is_named() -> None:
    later = copy.deepcopy(CONVENTIONS)
    later.attributes["gen_ai.request.seed"]["replaced_by"] = ["gen_ai.request.chance"]
    later.metrics["gen_ai.invoke_agent.duration"]["replaced_by"] = ["gen_ai.agent.duration"]
    found = deviations(EMITTED, later)
    assert "gen_ai.request.seed has been replaced on span chat" in found
    assert "gen_ai.invoke_agent.duration has been replaced" in found


def test_what_the_conventions_take_on_is_content_here() -> None:
    opt_in = {name for names in CONVENTIONS.places.values() for name in names.get("opt_in", ())}
    used = {name for seen in EMITTED.places.values() for name in seen["names"]}
    # Of tools the names are there always: the conventions want descriptions and parameters left out by default.
    assert {name for name in opt_in & used if not is_content(name)} == {"gen_ai.tool.definitions"}


def test_no_reason_stands_for_what_is_as_the_conventions_say() -> None:
    places = {name: {place for place, seen in EMITTED.places.items() if name in seen["names"]} for name in BEYOND}
    put = {
        name: {place for place, levels in CONVENTIONS.places.items() if any(name in names for names in levels.values())}
        for name in BEYOND
    }
    assert {name for name, (found, _) in BEYOND.items() if {*found} - (places[name] - put[name])} == set()
    replaced = {name for name, known in CONVENTIONS.names.items() if "replaced_by" in known}
    assert {*KEPT} == replaced
    assert {*EVERYWHERE} <= {*CONVENTIONS.attributes}


def test_every_name_in_the_table_is_used_or_is_of_a_place_that_is() -> None:
    used = {name for seen in EMITTED.places.values() for name in seen["names"]}
    used |= {place.rpartition(" ")[2] for place in EMITTED.places}
    put = {name for levels in CONVENTIONS.places.values() for names in levels.values() for name in names}
    assert {*CONVENTIONS.names} - used - put == set()
    assert {name for name in used if name.startswith(FOREIGN)} - {*CONVENTIONS.names} == set()


def test_names_that_this_library_spells_itself_are_the_conventions() -> None:
    spelt = {value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)}
    assert {name for name in spelt if name.startswith(FOREIGN)} - {*CONVENTIONS.names} == set()


def test_replaced_metrics_are_those_that_util_genai_records() -> None:
    handler = TelemetryHandler(tracer_provider=TracerProvider(), meter_provider=MeterProvider())
    recorded = {instrument.name for instrument in vars(handler._instruments).values()}
    ours = {value for name, value in vars(semconv).items() if name.startswith("METRIC_")}
    assert {name for name in KEPT if name in CONVENTIONS.metrics} <= recorded
    assert recorded & ours == set()


def test_the_schema_is_the_one_of_util_genai() -> None:
    provider = TracerProvider()
    workflow = TelemetryHandler(tracer_provider=provider).workflow("Desk")
    workflow.stop()
    span = workflow.span
    assert span.instrumentation_scope.schema_url == SCHEMA_URL  # type: ignore[attr-defined]


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def test_names_came_with_the_version_that_the_table_says() -> None:
    modules = (
        *(gen_ai_attributes, openai_attributes, gen_ai_metrics),
        *(error_attributes, exception_attributes, server_attributes),
    )
    installed = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    version = max(version_of(schema.value.rpartition("/")[2]) for schema in Schemas)
    dated = {
        name: known["since"][0].isdigit() and version_of(known["since"]) <= version
        for name, known in (*CONVENTIONS.attributes.items(), *CONVENTIONS.metrics.items())
    }
    assert {name for name, is_there in dated.items() if is_there != (name in installed)} == set()
