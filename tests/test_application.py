"""What an application can add to its telemetry, and ask of it."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
from typing import TYPE_CHECKING, Any

import cloudpickle
import dspy
import pytest
from dspy.utils import DummyLM

from opentelemetry.instrumentation.dspy import Usage, span_context_of, telemetry_context, usage_scope
from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call
from opentelemetry.instrumentation.dspy.programs import predictions

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded

CONVERSATION = "gen_ai.conversation.id"


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str) -> Any:
        return await self.answer.acall(question=question)


@pytest.fixture
def desk() -> Desk:
    """A program that needs no model server."""
    dspy.configure(lm=DummyLM([{"answer": "here"}] * 20))
    return Desk()


def test_conversation_and_attributes_stand_on_every_span_inside(telemetry: Recorded, desk: Desk) -> None:
    with telemetry_context(conversation_id="c-42", attributes={"user.id": "u-7", "tries": 2}):
        desk(question="one")
    assert len(telemetry.spans) == 3
    for span in telemetry.spans:
        attributes = span.attributes or {}
        assert (attributes[CONVERSATION], attributes["user.id"], attributes["tries"]) == ("c-42", "u-7", 2)
    telemetry.clear()
    desk(question="two")
    for span in telemetry.spans:
        assert not {CONVERSATION, "user.id", "tries"} & set(span.attributes or {})


def test_the_inner_context_adds_to_the_outer_one_and_wins(telemetry: Recorded, desk: Desk) -> None:
    with (
        telemetry_context(conversation_id="outer", attributes={"user.id": "u-7", "tenant": "t"}),
        telemetry_context(attributes={"tenant": "other"}),
        telemetry_context(conversation_id="inner"),
    ):
        desk(question="one")
    attributes = telemetry.attributes("Predict answer")
    assert (attributes[CONVERSATION], attributes["user.id"], attributes["tenant"]) == ("inner", "u-7", "other")


def test_a_context_inside_of_a_program_holds_for_what_is_below_it(telemetry: Recorded) -> None:
    class Naming(Desk):
        def forward(self, question: str) -> Any:
            with telemetry_context(attributes={"stage": "answer"}):
                return self.answer(question=question)

    with dspy.context(lm=DummyLM([{"answer": "here"}])):
        Naming()(question="one")
    assert [(span.attributes or {}).get("stage") for span in telemetry.spans] == [None, "answer", "answer"]
    assert telemetry.tree() == "invoke_workflow Naming\n  Predict answer\n    chat dummy"


def test_a_context_ends_with_its_block_also_where_that_fails(telemetry: Recorded) -> None:
    with pytest.raises(ZeroDivisionError), telemetry_context(conversation_id="c"), usage_scope():
        raise ZeroDivisionError
    assert current_call() is NO_CALL


async def test_tasks_have_contexts_of_their_own(telemetry: Recorded, desk: Desk) -> None:
    async def converse(conversation: str) -> None:
        with telemetry_context(conversation_id=conversation):
            await asyncio.sleep(0)
            await desk.acall(question=conversation)

    await asyncio.gather(converse("a"), converse("b"))
    by_trace: dict[int, set[object]] = {}
    for span in telemetry.spans:
        by_trace.setdefault(span.context.trace_id, set()).add((span.attributes or {})[CONVERSATION])
    assert sorted(map(sorted, by_trace.values())) == [["a"], ["b"]]  # type: ignore[type-var]


def test_contexts_and_scopes_do_nothing_without_instrumentation(desk: Desk) -> None:
    with telemetry_context(conversation_id="c"), usage_scope() as usage:
        assert desk(question="one").answer == "here"
    assert usage.total() == Usage()
    assert span_context_of(desk(question="two")) is None


def test_a_usage_scope_counts_what_runs_inside_and_can_be_read_at_any_time(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    desk = Desk()
    desk(question="before")
    with usage_scope() as usage:
        assert usage.lm_calls == 0
        desk(question="one")
        assert usage.lm_calls == 1
        with usage_scope() as inner:
            desk(question="two words")
    desk(question="after")
    _, first, second, _ = (request.usage or {} for request in model_server.requests)
    assert usage.input_tokens == first["prompt_tokens"] + second["prompt_tokens"]
    assert usage.output_tokens == first["completion_tokens"] + second["completion_tokens"]
    assert inner.input_tokens == second["prompt_tokens"]
    assert usage.cost == pytest.approx(
        sum(float(span.attributes["gen_ai.usage.cost.amount"]) for span in telemetry.named("chat gpt-4o-mini")[1:3])  # type: ignore[index, arg-type]
    )
    assert usage.by_model == {"gpt-4o-mini": usage.total()}
    assert (usage.lm_calls, inner.lm_calls, usage.cache_hits, usage.cost_unknown_calls) == (2, 1, 0, 0)


def test_usage_is_kept_apart_by_model(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    other = dspy.LM("openai/house-model", api_base=model_server.url, api_key="test-key", cache=False)
    with usage_scope() as usage:
        lm("one")
        other("two")
        other("three words here")
    by_model = usage.by_model
    assert {model: sum_.lm_calls for model, sum_ in by_model.items()} == {"gpt-4o-mini": 1, "house-model": 2}
    assert by_model["house-model"].cost_unknown_calls == 2
    assert by_model["gpt-4o-mini"].input_tokens + by_model["house-model"].input_tokens == usage.input_tokens


def test_calls_from_many_threads_reach_the_scope_that_they_were_started_in(telemetry: Recorded, lm: dspy.LM) -> None:
    from contextvars import copy_context

    def ask() -> None:
        for _ in range(3):
            lm("Where?")

    with usage_scope() as usage:
        threads = [threading.Thread(target=copy_context().run, args=(ask,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert usage.lm_calls == len(telemetry.named("chat gpt-4o-mini")) == 24
    assert usage.input_tokens == sum(
        int((span.attributes or {})["gen_ai.usage.input_tokens"])  # type: ignore[call-overload]
        for span in telemetry.named("chat gpt-4o-mini")
    )


def test_a_prediction_knows_the_span_of_the_call_that_the_application_made(telemetry: Recorded, desk: Desk) -> None:
    prediction = desk(question="one")
    context = span_context_of(prediction)
    assert context == telemetry.span("invoke_workflow Desk").context
    direct = desk.answer(question="two")
    assert span_context_of(direct) == telemetry.span("Predict question -> answer").context


async def test_a_prediction_of_an_async_call_knows_its_span_too(telemetry: Recorded, desk: Desk) -> None:
    prediction = await desk.acall(question="one")
    assert span_context_of(prediction) == telemetry.span("invoke_workflow Desk").context


def test_what_no_module_returned_has_no_span(telemetry: Recorded, desk: Desk) -> None:
    prediction = desk(question="one")
    for other in (pickle.loads(cloudpickle.dumps(prediction)), dspy.Prediction(), "text", None):
        assert span_context_of(other) is None


def test_a_prediction_is_not_kept_alive_and_nothing_is_kept_in_it(telemetry: Recorded, desk: Desk) -> None:
    gc.collect()
    known = len(predictions._origins)
    with dspy.context(trace=None):
        prediction = desk(question="one")
    assert set(vars(prediction)) == set(vars(dspy.Prediction.from_completions([{"answer": "a"}])))
    assert len(predictions._origins) == known + 1
    del prediction
    gc.collect()
    assert len(predictions._origins) == known
