"""On every DSPy the points of a call say whose it was: its program, prompt, tenant, and role in an optimizer run."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dspy
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import attach, detach

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    import pytest
    from conftest import MakeLM
    from recorded import Recorded

COST, DURATION, TOKENS = (
    "gen_ai.client.operation.cost",
    "gen_ai.client.operation.duration",
    "gen_ai.client.token.usage",
)
PROGRAM, PROMPT, ROLE = "dspy.program", "gen_ai.prompt.name", "dspy.optimizer.role"


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.answer.acall(question=question)


def counted(telemetry: Recorded, metric: str, *names: str) -> dict[tuple[Any, ...], int]:
    """How many values of a metric there are of each set of these attributes."""
    found: dict[tuple[Any, ...], int] = {}
    for point in telemetry.metric_points(metric):
        key = tuple((point.attributes or {}).get(name) for name in names)
        found[key] = found.get(key, 0) + point.count
    return found


def test_programs_and_tenants_are_told_apart_in_threads_and_tasks(telemetry: Recorded, make_lm: MakeLM) -> None:
    make_lm()

    def of(tenant: str) -> None:
        desk = Desk()
        with telemetry_context(metric_attributes={"tenant": tenant}):
            pairs = [(desk, dspy.Example(question=f"{tenant} {number}").with_inputs("question")) for number in range(2)]
            dspy.Parallel(num_threads=2, disable_progress_bar=True)(pairs)
            asyncio.run(desk.acall(question=f"{tenant} at last"))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(of, ("north", "south")))
    prompt = "Desk.answer.predict"
    expected = {("Desk", prompt, "north"): 3, ("Desk", prompt, "south"): 3}
    assert counted(telemetry, DURATION, PROGRAM, PROMPT, "tenant") == expected
    assert counted(telemetry, COST, PROGRAM, PROMPT, "tenant") == expected
    assert sum(counted(telemetry, TOKENS, PROGRAM, PROMPT, "tenant").values()) == 12


def test_bare_calls_and_streams_tell_it_too(telemetry: Recorded, make_lm: MakeLM) -> None:
    lm = make_lm()
    lm("Where?")
    dspy.Predict("question -> answer")(question="Where?")

    async def stream() -> None:
        async for _ in dspy.streamify(Desk())(question="Where?"):
            pass

    asyncio.run(stream())
    assert counted(telemetry, DURATION, PROGRAM, PROMPT) == {
        (None, None): 1,
        ("question -> answer", "question -> answer"): 1,
        ("Desk", "Desk.answer.predict"): 1,
    }
    [first] = counted(telemetry, "gen_ai.client.operation.time_to_first_chunk", PROGRAM, PROMPT)
    assert first == ("Desk", "Desk.answer.predict")


def test_in_an_optimizer_run_program_and_judge_have_their_roles(telemetry: Recorded, make_lm: MakeLM) -> None:
    make_lm()
    judge = dspy.Predict("given -> verdict")

    def metric(example: Any, prediction: Any, trace: Any = None) -> bool:
        judge(given=prediction.answer)
        return True

    examples = [dspy.Example(question=text, answer=text).with_inputs("question") for text in ("one", "two")]
    optimizer = dspy.BootstrapFewShotWithRandomSearch(
        metric=metric, num_candidate_programs=1, max_bootstrapped_demos=1, num_threads=1
    )
    optimizer.compile(Desk(), trainset=examples)
    told = counted(telemetry, DURATION, PROGRAM, ROLE)
    assert set(told) == {("Desk", "task"), ("given -> verdict", "judge")}
    assert set(counted(telemetry, COST, PROGRAM, ROLE)) == set(told)


def test_an_embedder_has_the_program_and_the_tenant(telemetry: Recorded) -> None:
    class Search(dspy.Module):
        def forward(self, query: str) -> Any:
            return dspy.Embedder(lambda texts: [[float(len(text))] for text in texts])([query])

    with telemetry_context(metric_attributes={"tenant": "north"}):
        Search()(query="a lamp")
    assert counted(telemetry, DURATION, PROGRAM, "tenant") == {("Search", "north"): 1}


def test_named_entries_of_baggage_stand_on_spans_and_points(
    start_telemetry: Any, make_lm: MakeLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_BAGGAGE", "user.id")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_BAGGAGE_METRICS", "tenant.id")
    telemetry = start_telemetry()
    make_lm()
    token = attach(W3CBaggagePropagator().extract({"baggage": "tenant.id=north,user.id=u-7,other=1"}))
    Desk()(question="Where?")
    detach(token)
    spans = [dict(span.attributes or {}) for span in telemetry.spans]
    assert {(span["tenant.id"], span["user.id"], span.get("other")) for span in spans} == {("north", "u-7", None)}
    assert counted(telemetry, DURATION, "tenant.id", "user.id") == {("north", None): 1}
