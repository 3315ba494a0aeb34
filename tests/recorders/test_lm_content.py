"""Messages and tools of language model calls, where the application consents to record them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import dspy
    from conftest import StartTelemetry
    from model_server import ModelServer

CHAT = "chat gpt-4o-mini"

both_ways = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def call(lm: dspy.LM, asynchronous: bool, *values: Any, **options: Any) -> Any:
    return asyncio.run(lm.acall(*values, **options)) if asynchronous else lm(*values, **options)


def messages(attributes: dict[str, Any], name: str) -> list[tuple[str, str]]:
    return [(message["role"], message["parts"][0]["content"]) for message in json.loads(attributes[name])]


@both_ways
@pytest.mark.parametrize("capture", ["SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"])
def test_with_consent_messages_go_where_they_were_asked_for(
    capture: str, asynchronous: bool, start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture=capture)
    given = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is it?"}]
    [reply] = call(lm, asynchronous, messages=given)
    attributes = telemetry.attributes(CHAT)
    if capture == "EVENT_ONLY":
        assert "gen_ai.input.messages" not in attributes
    else:
        assert messages(attributes, "gen_ai.input.messages") == [("system", "Be brief."), ("user", "Where is it?")]
        assert messages(attributes, "gen_ai.output.messages") == [("assistant", reply)]
    if capture == "SPAN_ONLY":
        assert telemetry.logs == ()
    else:
        [event] = [record.log_record for record in telemetry.logs]
        assert event.event_name == "gen_ai.client.inference.operation.details"
        assert event.span_id == telemetry.span(CHAT).context.span_id
        assert event.attributes is not None
        [sent, question] = event.attributes["gen_ai.input.messages"]  # type: ignore[misc]
        assert (sent["parts"][0]["content"], question["parts"][0]["content"]) == ("Be brief.", "Where is it?")


@both_ways
def test_a_positional_prompt_is_recorded_as_the_users(
    asynchronous: bool, start_telemetry: StartTelemetry, lm: dspy.LM
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    call(lm, asynchronous, "Where is it?")
    assert messages(telemetry.attributes(CHAT), "gen_ai.input.messages") == [("user", "Where is it?")]


def test_tools_and_their_calls_are_recorded(
    start_telemetry: StartTelemetry, lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(capture="SPAN_ONLY")
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": schema}}
    lm("Sun?", tools=[tool])
    attributes = telemetry.attributes(CHAT)
    assert json.loads(attributes["gen_ai.tool.definitions"]) == [
        {"name": "weather", "description": "Tells it.", "parameters": schema, "type": "function"}
    ]
    assert attributes["gen_ai.response.finish_reasons"] == ["tool_call"]
    [reply] = json.loads(attributes["gen_ai.output.messages"])
    assert [(part["type"], part["name"]) for part in reply["parts"]] == [("tool_call", "weather")]
