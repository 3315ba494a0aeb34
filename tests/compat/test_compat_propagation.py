"""The trace goes on in the model's server on every DSPy, through whichever client it sends its requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from capabilities import ENGINES

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer

CLIENTS = [{"engine": "lm15"}, {"engine": "litellm"}] if ENGINES.given else [{}]


@pytest.mark.parametrize("how", ["sync", "async", "stream"])
@pytest.mark.parametrize("client", CLIENTS, ids=str)
@pytest.mark.parametrize("hosts", ["127.0.0.1", "example.com", None])
def test_the_model_is_told_of_the_chat_span_where_its_host_was_named(
    start_telemetry: StartTelemetry, model_server: ModelServer, client: dict[str, Any], how: str, hosts: str | None
) -> None:
    telemetry = start_telemetry(propagate=hosts)
    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False, **client)
    program = dspy.Predict("question -> answer")

    async def everything() -> list[Any]:
        return [value async for value in dspy.streamify(program)(question="Where?")]

    with dspy.context(lm=lm):
        if how == "sync":
            program(question="Where?")
        else:
            asyncio.run(everything() if how == "stream" else program.acall(question="Where?"))
    [request] = model_server.requests
    own = telemetry.span("chat gpt-4o-mini").context
    expected = f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}" if hosts == "127.0.0.1" else None
    assert request.headers.get("traceparent") == expected


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("hosts", [True, False])
def test_a_text_completion_is_told_too(
    start_telemetry: StartTelemetry, model_server: ModelServer, how: str, hosts: bool
) -> None:
    start_telemetry(propagate=hosts)
    lm = dspy.LM("openai/gpt-4o-mini", api_base=model_server.url, api_key="test-key", cache=False, model_type="text")
    lm("Where?") if how == "sync" else asyncio.run(lm.acall("Where?"))
    [request] = model_server.requests
    assert ("traceparent" in request.headers) is hosts
