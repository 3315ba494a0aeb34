"""Agents and gateways: they fit together, and what goes into long-term storage has no content in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from compose import ROOT
from every_kind import run_every_kind, script
from recorded import attributes_of
from search_server import SearchServer

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, semconv

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dspy
    from conftest import StartTelemetry
    from model_server import ModelServer

FOLDER = ROOT / "deploy" / "gateway"
RESOURCES: dict[str, dict[str, Any]] = {
    name: yaml.safe_load((FOLDER / f"{name}.yaml").read_text()) for name in ("instrumentation", "agent", "gateway")
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {name: RESOURCES[name]["spec"]["config"] for name in ("agent", "gateway")}
GATEWAY = CONFIGURATIONS["gateway"]
WITHOUT_CONTENT = GATEWAY["processors"]["transform/without-content"]
MESSAGES_OF_ERRORS = {"exception.message", "exception.stacktrace"}
REPLACED_BY_CONTENT = {"input.value", "input.mime_type", "output.value", "output.mime_type"}
"""OpenInference's, which say something with content off too: how many calls, what it cost."""


@pytest.fixture
def colbert() -> Iterator[dspy.ColBERTv2]:
    import dspy

    with SearchServer() as server:
        yield dspy.ColBERTv2(url=f"{server.url}/wiki17_abstracts")


def deleted(statements: list[str]) -> re.Pattern[str]:
    """The names that the only statement of its kind deletes; OTTL writes a backslash as two."""
    [pattern] = [
        found[1] for found in (re.search(r'delete_matching_keys\([a-z.]+, "(.*)"\)', s) for s in statements) if found
    ]
    return re.compile(pattern.replace("\\\\", "\\"))


def statements_of(context: str) -> list[str]:
    [group] = [group for group in WITHOUT_CONTENT["trace_statements"] if group["context"] == context]
    statements: list[str] = group["statements"]
    return statements


def test_long_term_storage_has_exactly_what_is_recorded_with_content_off(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer, colbert: dspy.ColBERTv2
) -> None:
    names: dict[str, set[str]] = {}
    logged: dict[str, set[str]] = {}
    for capture in ("", "SPAN_AND_EVENT"):
        model_server.reply = script()
        recorded = start_telemetry(capture=capture, openinference=True)
        run_every_kind(colbert)
        names[capture] = {name for span in recorded.spans for name in attributes_of(span)}
        logged[capture] = {name for record in recorded.logs for name in record.log_record.attributes or {}}
        DSPyInstrumentor().uninstrument()
    with_content = names["SPAN_AND_EVENT"]
    left = {name for name in with_content if not deleted(statements_of("span")).match(name)}
    assert with_content - names[""] > {"gen_ai.input.messages", "dspy.module.inputs", "dspy.example.prediction"}
    assert left == names[""] - REPLACED_BY_CONTENT - {"gen_ai.tool.definitions"}
    left_of_logs = {
        name for name in logged["SPAN_AND_EVENT"] if not deleted(WITHOUT_CONTENT["log_statements"]).match(name)
    }
    assert logged["SPAN_AND_EVENT"] - logged[""] > {"gen_ai.input.messages"}
    assert left_of_logs >= logged[""] - MESSAGES_OF_ERRORS
    assert not {name for name in left_of_logs if re.search("messages|instructions|documents|arguments|result$", name)}


@pytest.mark.parametrize("name", [name for name in dir(semconv) if name.isupper()])
def test_every_attribute_that_is_content_by_its_description_is_deleted(name: str) -> None:
    value = getattr(semconv, name)
    source = (ROOT / "docs" / "telemetry.md").read_text()
    described = re.search(rf"^\| `{re.escape(str(value))}` \| (.*)$", source, re.MULTILINE)
    if described is not None and "event" not in described[1].split("|")[0]:
        is_content = "Content, off by default" in described[1]
        assert bool(deleted(statements_of("span")).match(value)) is is_content


def test_messages_of_errors_are_deleted_where_they_can_stand() -> None:
    assert {
        name for name in MESSAGES_OF_ERRORS if deleted(statements_of("spanevent")).match(name)
    } == MESSAGES_OF_ERRORS
    assert 'set(span.status.message, "") where span.status.message != ""' in statements_of("span")
    assert WITHOUT_CONTENT["error_mode"] == "propagate", "what could not be cleaned must not be stored"


def test_an_event_without_its_content_is_a_line_that_says_what_it_is() -> None:
    """Every statement about bodies, in the order in which an archive makes them."""
    [*processors, _] = GATEWAY["service"]["pipelines"]["logs/archive"]["processors"]
    statements = [one for name in processors for one in GATEWAY["processors"][name]["log_statements"]]
    assert [one for one in statements if "log.body" in one] == [
        'set(log.body, log.event_name) where log.event_name != ""',
        'set(log.body, log.event_name) where log.body == nil and log.event_name != ""',
    ]


def test_only_the_archives_go_without_content_and_they_always_do() -> None:
    pipelines = GATEWAY["service"]["pipelines"]
    cleaned = {name for name, pipeline in pipelines.items() if "transform/without-content" in pipeline["processors"]}
    archives = {name for name, pipeline in pipelines.items() if any("archive" in one for one in pipeline["exporters"])}
    assert cleaned == archives == {"traces/archive", "logs/archive"}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_pipelines_use_every_component_that_is_defined_and_no_other(name: str) -> None:
    configuration = CONFIGURATIONS[name]
    pipelines = configuration["service"]["pipelines"].values()
    connectors = set(configuration.get("connectors", {}))
    used = {
        section: {one for pipeline in pipelines for one in pipeline[section]}
        for section in ("receivers", "processors", "exporters")
    }
    assert used["receivers"] - connectors == set(configuration["receivers"])
    assert used["processors"] == set(configuration["processors"])
    assert used["exporters"] - connectors == set(configuration["exporters"])
    assert used["receivers"] & connectors == used["exporters"] & connectors == connectors


def test_all_spans_of_a_trace_reach_one_gateway_and_are_decided_there() -> None:
    by_trace = CONFIGURATIONS["agent"]["exporters"]["load_balancing"]
    # The Operator calls a Collector's services <name>-collector and <name>-collector-headless.
    gateway = f"{RESOURCES['gateway']['metadata']['name']}-collector"
    assert by_trace["routing_key"] == "traceID"
    assert by_trace["resolver"]["k8s"]["service"] == f"{gateway}-headless"
    assert CONFIGURATIONS["agent"]["exporters"]["otlp_grpc/gateway"]["endpoint"] == f"{gateway}:4317"
    assert CONFIGURATIONS["agent"]["service"]["pipelines"]["traces"]["exporters"] == ["load_balancing"]
    assert GATEWAY["service"]["pipelines"]["traces/all"]["processors"] == ["memory_limiter", "tail_sampling"]
    rbac = [*yaml.safe_load_all((FOLDER / "rbac.yaml").read_text())]
    assert RESOURCES["agent"]["spec"]["serviceAccount"] in {one["metadata"]["name"] for one in rbac}


def test_the_operator_brings_an_sdk_that_is_new_enough() -> None:
    """Its packages stand before those of the application; SDK 1.43 and instrumentations 0.64b0 are one release."""
    image = RESOURCES["instrumentation"]["spec"]["python"]["image"]
    wanted = re.search(r'"opentelemetry-sdk>=1\.(\d+)', (ROOT / "pyproject.toml").read_text())
    brought = re.fullmatch(r"\S+/autoinstrumentation-python:0\.(\d+)b\d+", image)
    assert wanted is not None
    assert brought is not None
    assert int(brought[1]) - 21 >= int(wanted[1])


def test_what_is_sampled_by_stands_on_the_spans() -> None:
    policies = GATEWAY["processors"]["tail_sampling"]["policies"]
    assert [policy["name"] for policy in policies] == ["failed", "dear", "slow", "optimizer-runs", "share-of-the-rest"]
    conditions = [one for policy in policies if "ottl_condition" in policy for one in policy["ottl_condition"]["span"]]
    asked = {name for condition in conditions for name in re.findall(r'attributes\["([^"]+)"\]', condition)}
    assert asked == {semconv.DSPY_USAGE_COST, semconv.GEN_AI_USAGE_COST_AMOUNT, semconv.DSPY_OPTIMIZER_ROLE}


def test_nothing_that_a_store_does_not_take_is_lost_with_the_process() -> None:
    [storage] = GATEWAY["service"]["extensions"]
    mounts = {mount["mountPath"] for mount in RESOURCES["gateway"]["spec"]["volumeMounts"]}
    assert GATEWAY["extensions"][storage]["directory"] in mounts
    assert {exporter["sending_queue"]["storage"] for exporter in GATEWAY["exporters"].values()} == {storage}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_collector_acts_before_the_memory_limit_of_its_container(name: str) -> None:
    units = {"Mi": 1, "Gi": 1024, "MiB": 1}
    spec = RESOURCES[name]["spec"]

    def mebibytes(size: str) -> int:
        matched = re.fullmatch(r"(\d+)(\D+)", size)
        assert matched is not None
        return int(matched[1]) * units[matched[2]]

    limit = mebibytes(spec["resources"]["limits"]["memory"])
    [garbage] = [one["value"] for one in spec["env"] if one["name"] == "GOMEMLIMIT"]
    assert limit / 2 < mebibytes(garbage) < limit
    assert CONFIGURATIONS[name]["processors"]["memory_limiter"]["limit_mib"] < limit
