"""A span's roll-up is the exact sum over all language model calls below it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from model_server import Failure

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_server import ModelServer, Request
    from opentelemetry.sdk.trace import ReadableSpan
    from recorded import Recorded

CHAT = "chat gpt-4o-mini"


class Desk(dspy.Module):
    """Two stages, the second of them with two calls."""

    def __init__(self) -> None:
        super().__init__()
        self.first = dspy.ChainOfThought("question -> draft")
        self.second = Twice()

    def forward(self, question: str) -> Any:
        return self.second(draft=self.first(question=question).draft)

    async def aforward(self, question: str) -> Any:
        draft = await self.first.acall(question=question)
        return await self.second.acall(draft=draft.draft)


class Twice(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.polish = dspy.Predict("draft -> answer")
        self.check = dspy.Predict("answer -> verdict")

    def forward(self, draft: str) -> Any:
        return self.check(answer=self.polish(draft=draft).answer)

    async def aforward(self, draft: str) -> Any:
        return await self.check.acall(answer=(await self.polish.acall(draft=draft)).answer)


def usage(span: ReadableSpan) -> dict[str, Any]:
    return {name: value for name, value in (span.attributes or {}).items() if name.startswith("dspy.usage.")}


def calls_below(span: ReadableSpan, spans: Iterable[ReadableSpan]) -> list[ReadableSpan]:
    """The language model calls in the tree under a span."""
    spans = list(spans)
    children = [child for child in spans if child.parent and child.parent.span_id == span.context.span_id]
    below = [child for child in children if child.name.startswith("chat")]
    return below + [call for child in children for call in calls_below(child, spans)]


def tokens(requests: Iterable[Request], name: str) -> int:
    return sum(request.usage[name] for request in requests if request.usage is not None)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_every_module_adds_up_what_is_below_it_and_nothing_else(
    asynchronous: bool, telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    desk = Desk()
    if asynchronous:
        asyncio.run(desk.acall(question="Where?"))
    else:
        desk(question="Where?")
    assert telemetry.tree() == (
        "invoke_workflow Desk\n"
        "  ChainOfThought first\n"
        "    Predict first\n"
        "      chat gpt-4o-mini\n"
        "  invoke_workflow Twice\n"
        "    Predict polish\n"
        "      chat gpt-4o-mini\n"
        "    Predict check\n"
        "      chat gpt-4o-mini"
    )
    for span in telemetry.spans:
        calls = calls_below(span, telemetry.spans)
        if span.name == CHAT:
            assert usage(span) == {}
            continue
        requests = [model_server.request_of(str((call.attributes or {})["gen_ai.response.id"])) for call in calls]
        costs = [float((call.attributes or {})["gen_ai.usage.cost.amount"]) for call in calls]  # type: ignore[arg-type]
        found = usage(span)
        assert found.pop("dspy.usage.cost") == pytest.approx(sum(costs), rel=1e-12)
        assert found == {
            "dspy.usage.lm_calls": len(calls),
            "dspy.usage.input_tokens": tokens(requests, "prompt_tokens"),
            "dspy.usage.output_tokens": tokens(requests, "completion_tokens"),
        }
    assert usage(telemetry.span("invoke_workflow Desk"))["dspy.usage.lm_calls"] == len(model_server.requests) == 3


def test_cache_hits_count_as_calls_that_saved_money_and_cost_none(telemetry: Recorded, cached_lm: dspy.LM) -> None:
    desk = Desk()
    desk(question="Where?")
    first = usage(telemetry.span("invoke_workflow Desk"))
    telemetry.clear()
    desk(question="Where?")
    second = usage(telemetry.span("invoke_workflow Desk"))
    assert second.pop("dspy.usage.saved_cost") == pytest.approx(first["dspy.usage.cost"], rel=1e-12)
    assert second == {
        "dspy.usage.lm_calls": 3,
        "dspy.usage.cost": 0.0,
        "dspy.usage.cache_hits": 3,
    }


def test_calls_with_and_without_a_price_add_up_to_a_cost_and_say_what_it_lacks(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    desk = Desk()
    desk.second.check.lm = dspy.LM("openai/house-model", api_base=model_server.url, api_key="test-key", cache=False)
    desk(question="Where?")
    found = usage(telemetry.span("invoke_workflow Desk"))
    costs = [float((call.attributes or {})["gen_ai.usage.cost.amount"]) for call in telemetry.named(CHAT)]  # type: ignore[arg-type]
    assert len(costs) == 2
    assert found["dspy.usage.cost"] == pytest.approx(sum(costs), rel=1e-12)
    assert (found["dspy.usage.lm_calls"], found["dspy.usage.cost_unknown_calls"]) == (3, 1)


def test_a_program_that_fails_has_the_roll_up_of_what_it_used_until_then(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    model_server.fail_when(lambda request: "[[ ## verdict ## ]]" in request.prompt.text, Failure(400, "no verdict"))
    with pytest.raises(Exception, match="no verdict"):
        Desk()(question="Where?")
    found = usage(telemetry.span(next(span.name for span in telemetry.spans if span.parent is None)))
    paid = [request for request in model_server.requests if request.usage is not None]
    assert len(paid) == 2
    assert found["dspy.usage.lm_calls"] == len(telemetry.named(CHAT))
    assert found["dspy.usage.input_tokens"] == tokens(paid, "prompt_tokens")


def test_a_module_that_calls_no_language_model_has_no_roll_up(telemetry: Recorded) -> None:
    class Idle(dspy.Module):
        def forward(self) -> str:
            return "nothing"

    Idle()()
    assert usage(telemetry.span("invoke_workflow Idle")) == {}


def test_modules_that_run_at_the_same_time_have_each_their_own(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer
) -> None:
    predict = dspy.Predict("question -> answer")

    async def ask_all() -> None:
        await asyncio.gather(*(predict.acall(question="word " * number) for number in range(1, 11)))

    with usage_scope() as everything:
        asyncio.run(ask_all())
    predictors = telemetry.named("Predict question -> answer")
    assert len(predictors) == 10
    for span in predictors:
        [call] = calls_below(span, telemetry.spans)
        request = model_server.request_of(str((call.attributes or {})["gen_ai.response.id"]))
        assert request.usage is not None
        assert usage(span)["dspy.usage.input_tokens"] == request.usage["prompt_tokens"]
        assert usage(span)["dspy.usage.lm_calls"] == 1
    assert everything.input_tokens == tokens(model_server.requests, "prompt_tokens")
    assert everything.lm_calls == 10
