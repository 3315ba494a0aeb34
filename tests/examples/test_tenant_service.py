"""The web service with a bill for each tenant."""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

import httpx
import pytest
from example_runs import EXAMPLES, KeptModel, Run, dollars_of, read, run

if TYPE_CHECKING:
    from recorded import Recorded

COST = "gen_ai.client.operation.cost"
CALLS = read("tenant_service", "calls.json")


@pytest.fixture(scope="module")
def ran() -> Run:
    return run("tenant_service")


def test_each_tenant_pays_for_its_own_questions_and_for_none_from_the_cache(ran: Run) -> None:
    lines = ran.lines(r"\d{4}-\d\d-\d\d  (\w+) +(\d+) +(\d+) +(\d+) +([\d.]+)")
    billed = {line[1]: (int(line[2]), int(line[3]), int(line[4]), float(line[5])) for line in lines}
    expected = {}
    for tenant in ("acme", "lumen", "nord"):
        questions = [call["question"] for call in CALLS if call["tenant"] == tenant]
        bodies = [
            body
            for request, body in ran.calls
            if any(question in request["messages"][-1]["content"] for question in questions)
        ]
        tokens = sum(body["usage"]["total_tokens"] for body in bodies)
        cached = 1 if tenant == "acme" else 0
        expected[tenant] = (len(bodies) + cached, cached, tokens, pytest.approx(dollars_of(bodies), abs=6e-7))
    assert billed == expected
    assert len(ran.calls) == len(CALLS)


def test_every_span_of_dspy_tells_the_tenant_and_the_user(ran: Run) -> None:
    who = [(call["tenant"], call["user"]) for call in (*CALLS, CALLS[0])]
    for name in ("invoke_workflow", "ChainOfThought", "Predict", "chat"):
        told = [(span.attributes["tenant.id"], span.attributes["user.id"]) for span in ran.named(name)]
        assert sorted(told) == sorted(who)


def test_metrics_have_the_same_bill(ran: Run) -> None:
    lines = ran.lines(r"\d{4}-\d\d-\d\d  (\w+) +(\d+) +(\d+) +(\d+) +([\d.]+)")
    counted = {point.attributes["tenant.id"]: point for point in ran.points if point.name == COST}
    assert {tenant: point.sum for tenant, point in counted.items()} == {
        line[1]: pytest.approx(float(line[5]), abs=6e-7) for line in lines
    }
    assert {point.attributes["dspy.program"] for point in counted.values()} == {"HelpDesk"}
    assert all("user.id" not in point.attributes for point in ran.points)


def test_the_traces_are_those_of_the_callers(ran: Run) -> None:
    said = ran.lines(r"\w+ +u-\d +.* \((\w{32}), in the caller's trace\)")
    requests = ran.named("POST /answers")
    roots = [span for span in requests if span.name == "POST /answers"]
    assert {span.trace_id for span in roots} == {line[1] for line in said}
    assert len(said) == len(roots) == len(CALLS) + 1
    assert all(span.kind == "SERVER" and span.parent_span_id is not None for span in roots)
    parents = {span.span_id: span for span in roots}
    for workflow in ran.named("invoke_workflow"):
        assert workflow.parent_span_id is not None
        assert parents[workflow.parent_span_id].trace_id == workflow.trace_id
    assert ran.named("GET /costs") == []


async def test_an_unknown_key_is_refused_and_nobody_pays(telemetry: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    with KeptModel("tenant_service") as model:
        monkeypatch.setenv("DEMO_API_BASE", model.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        service = runpy.run_path(str(EXAMPLES / "tenant_service" / "service.py"))
        transport = httpx.ASGITransport(app=service["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            refused = await client.post("/answers", json=CALLS[0], headers={"x-api-key": "key-of-nobody"})
            bill = await client.get("/costs")
    assert (refused.status_code, bill.json(), model.calls, telemetry.spans) == (401, [], [], [])
