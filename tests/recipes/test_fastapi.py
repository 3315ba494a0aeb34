"""docs/recipes/fastapi.md: a request is one trace, each span says whose it is, and the server's what it cost."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from recipes.running import started, tree

if TYPE_CHECKING:
    from model_server import ModelServer
    from otlp_receiver import OtlpReceiver
    from otlp_records import SpanRecord

SERVE = ["opentelemetry-instrument", "uvicorn", "--app-dir", "examples/recipes", "--port", "0", "fastapi_service:app"]

ASK = """\
GET /ask
  Predict question -> answer
    chat gpt-4o-mini
  BackgroundTask Predict
    Predict question, answer -> is_helpful
      chat gpt-4o-mini"""

STREAM = """\
GET /stream
  Predict question -> answer
    chat gpt-4o-mini"""


def test_requests_streams_and_background_tasks_say_whose_they_are_and_what_they_cost(
    model_server: ModelServer, receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    settings["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = "openai,celery"
    with started(SERVE, settings, "running on") as said:
        [address] = re.findall(r"http://\S+", said[-1])
        headers = {"x-user": "u-7", "x-conversation": "c-42"}
        with httpx.Client(base_url=address, headers=headers, timeout=110) as client:
            answer = client.get("/ask", params={"question": "Where is the Nile?"}).json()["answer"]
            client.headers.update({"x-user": "u-8", "x-conversation": "c-43"})
            streamed = [client.get("/stream", params={"question": "Where is the Nile?"}).text for _ in range(2)]

    assert streamed == [answer, answer]
    traces = traces_by_root(receiver.spans)
    assert {root: tree(spans) for root, spans in traces.items()} == {"GET /ask": ASK, "GET /stream": STREAM}
    for root, user, conversation in (("GET /ask", "u-7", "c-42"), ("GET /stream", "u-8", "c-43")):
        spans = [span for span in traces[root] if span.origin.scope_name == "opentelemetry.instrumentation.dspy"]
        assert {span.attributes.get("user.id") for span in spans} == {user}
        assert {span.attributes.get("gen_ai.conversation.id") for span in spans} == {conversation}
        [server] = [span for span in traces[root] if span.kind == "SERVER"]
        first_chat = next(span for span in spans if span.name == "chat gpt-4o-mini")
        assert server.attributes["app.lm_calls"] == 1
        assert server.attributes["app.cost"] == first_chat.attributes["gen_ai.usage.cost.amount"]
    assert len(model_server.requests) == 4


def test_the_baggage_of_a_request_says_whose_it_is(
    model_server: ModelServer, receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    settings |= {
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,celery",
        "OTEL_INSTRUMENTATION_DSPY_BAGGAGE": "tenant.id,session.id",
        "OTEL_INSTRUMENTATION_DSPY_BAGGAGE_METRICS": "tenant.id",
    }
    with started(SERVE, settings, "running on") as said:
        [address] = re.findall(r"http://\S+", said[-1])
        with httpx.Client(base_url=address, headers={"x-conversation": "c-42"}, timeout=110) as client:
            for tenant in ("north", "south", "north"):
                header = f"tenant.id={tenant},session.id=s-1,secret.plan=none"
                client.get("/ask", params={"question": "Where is the Nile?"}, headers={"baggage": header})

    ours = [span for span in receiver.spans if span.origin.scope_name == "opentelemetry.instrumentation.dspy"]
    assert len(ours) == 12
    assert {span.attributes["session.id"] for span in ours} == {"s-1"}
    assert not any("secret.plan" in span.attributes for span in ours)
    spent: Counter[str] = Counter()
    for span in ours:
        spent[str(span.attributes["tenant.id"])] += float(span.attributes.get("gen_ai.usage.cost.amount", 0))  # type: ignore[arg-type]
    paid: Counter[str] = Counter()
    for point in receiver.metrics:
        if point.name == "gen_ai.client.operation.cost":
            assert "session.id" not in point.attributes
            paid[str(point.attributes["tenant.id"])] += point.sum or 0
    assert paid == {tenant: pytest.approx(spent[tenant]) for tenant in ("north", "south")}
    assert spent["north"] > spent["south"] > 0


def traces_by_root(spans: list[SpanRecord]) -> dict[str, list[SpanRecord]]:
    """The traces under the names of their first spans, without the spans of single messages of the protocol."""
    traces: dict[str, list[SpanRecord]] = {}
    for span in sorted(spans, key=lambda span: span.start_ns):
        if " http " not in span.name:
            traces.setdefault(span.trace_id, []).append(span)
    return {spans[0].name: spans for spans in traces.values()}
