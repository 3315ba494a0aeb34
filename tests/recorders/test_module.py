"""Spans of modules: workflows of the application, agents and DSPy's own modules."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from opentelemetry.trace import SpanKind, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server import ModelServer
    from recorded import Recorded

SUPPORT_DESK = """\
invoke_workflow SupportDesk
  ChainOfThought answer
    Predict answer
      chat gpt-4o-mini"""


class SupportDesk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str, tone: str = "calm") -> Any:
        return self.answer(question=question)

    async def aforward(self, question: str, tone: str = "calm") -> Any:
        return await self.answer.acall(question=question)


class JudgeAnswer(dspy.Signature):
    """Judge the answer."""

    answer: str = dspy.InputField()
    score: float = dspy.OutputField()


class Judge(dspy.ChainOfThought):
    """A module of the application that is one of DSPy's."""


class Plain(dspy.Module):
    """A module without a language model."""

    def forward(self, answer: Callable[[], Any]) -> Any:
        return answer()


def ask(module: dspy.Module, asynchronous: bool, **inputs: Any) -> Any:
    return asyncio.run(module.acall(**inputs)) if asynchronous else module(**inputs)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_each_module_is_a_span_below_the_module_that_called_it(
    asynchronous: bool, telemetry: Recorded, lm: dspy.LM
) -> None:
    ask(SupportDesk(), asynchronous, question="Where?")
    assert telemetry.tree() == SUPPORT_DESK
    assert len({span.context.trace_id for span in telemetry.spans}) == 1
    assert {span.name: span.kind for span in telemetry.spans} == {
        "invoke_workflow SupportDesk": SpanKind.INTERNAL,
        "ChainOfThought answer": SpanKind.INTERNAL,
        "Predict answer": SpanKind.INTERNAL,
        "chat gpt-4o-mini": SpanKind.CLIENT,
    }
    assert {span.status.status_code for span in telemetry.spans} == {StatusCode.UNSET}


def test_spans_come_from_one_scope_of_this_library(telemetry: Recorded, lm: dspy.LM) -> None:
    from opentelemetry.instrumentation.dspy import __version__

    SupportDesk()(question="Where?")
    scopes = {span.instrumentation_scope for span in telemetry.spans}
    assert [(scope.name, scope.version) for scope in scopes if scope] == [
        ("opentelemetry.instrumentation.dspy", __version__)
    ]


def test_the_attributes_of_a_workflow(telemetry: Recorded, lm: dspy.LM, model_server: ModelServer) -> None:
    SupportDesk()(question="Where?")
    [request] = model_server.requests
    assert request.usage is not None
    attributes = telemetry.attributes("invoke_workflow SupportDesk")
    cost = attributes.pop("dspy.usage.cost")
    assert cost > 0
    assert attributes == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.agent.name": "SupportDesk",
        "gen_ai.workflow.name": "SupportDesk",
        "dspy.module.name": "SupportDesk",
        "dspy.usage.lm_calls": 1,
        "dspy.usage.input_tokens": request.usage["prompt_tokens"],
        "dspy.usage.output_tokens": request.usage["completion_tokens"],
    }


def without_usage(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if not name.startswith("dspy.usage.")}


def test_the_attributes_of_dspys_own_modules(telemetry: Recorded, lm: dspy.LM) -> None:
    desk = SupportDesk()
    desk.answer.predict.demos = [dspy.Example(question="1 + 1?", reasoning="so", answer="2")]
    desk(question="Where?")
    assert without_usage(telemetry.attributes("ChainOfThought answer")) == {
        "dspy.module.name": "ChainOfThought",
        "dspy.module.path": "answer",
        "dspy.signature.fields": "question -> answer",
        "gen_ai.workflow.name": "SupportDesk",
    }
    assert without_usage(telemetry.attributes("Predict answer")) == {
        "dspy.module.name": "Predict",
        "dspy.module.path": "answer.predict",
        "dspy.signature.fields": "question -> reasoning, answer",
        "dspy.demos.count": 1,
        "gen_ai.workflow.name": "SupportDesk",
    }


def test_a_named_signature_gives_its_name_to_the_span(telemetry: Recorded) -> None:
    with dspy.context(lm=DummyLM([{"reasoning": "so", "score": "0.5"}])):
        Judge(JudgeAnswer)(answer="yes")
    assert telemetry.tree() == "Judge JudgeAnswer\n  Predict JudgeAnswer\n    chat dummy"
    assert without_usage(telemetry.attributes("Judge JudgeAnswer")) == {
        "dspy.module.name": "Judge",
        "dspy.signature.name": "JudgeAnswer",
        "dspy.signature.fields": "answer -> score: float",
        "gen_ai.prompt.name": "Judge.predict",
    }


def test_demonstrations_of_one_call_are_counted_instead_of_the_predictors(telemetry: Recorded) -> None:
    with dspy.context(lm=DummyLM([{"answer": "yes"}] * 2)):
        predict = dspy.Predict("question -> answer")
        predict(question="one", demos=[dspy.Example(question="q", answer="a")] * 3)
        predict(question="two")
    counts = [(span.attributes or {})["dspy.demos.count"] for span in telemetry.named("Predict question -> answer")]
    assert counts == [3, 0]


def test_an_agent_is_an_agent_and_not_a_workflow(telemetry: Recorded, lm: dspy.LM) -> None:
    class Concierge(dspy.ReAct):
        """An agent of the application."""

    def weather(city: str) -> str:
        """Tell the weather."""
        return "sun"

    dspy.ReAct("question -> answer", tools=[weather], max_iters=1)(question="Sun?")
    dspy.ReAct(JudgeAnswer, tools=[weather], max_iters=1)(answer="Sun?")
    Concierge(JudgeAnswer, tools=[weather], max_iters=1)(answer="Sun?")
    roots = [span for span in telemetry.spans if span.parent is None]
    assert [root.name for root in roots] == ["invoke_agent ReAct", "invoke_agent JudgeAnswer", "invoke_agent Concierge"]
    agents = [(root.attributes or {}) for root in roots]
    assert [agent["gen_ai.operation.name"] for agent in agents] == ["invoke_agent"] * 3
    assert [agent["gen_ai.agent.name"] for agent in agents] == ["ReAct", "JudgeAnswer", "Concierge"]
    assert [agent["dspy.module.name"] for agent in agents] == ["ReAct", "ReAct", "Concierge"]


def test_a_workflow_in_a_workflow_is_a_span_of_its_own(telemetry: Recorded) -> None:
    class Outer(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Plain()

        def forward(self) -> str:
            return str(self.inner(lambda: "done"))

    Outer()()
    assert telemetry.tree() == "invoke_workflow Outer\n  invoke_workflow Plain"
    assert telemetry.attributes("invoke_workflow Plain")["dspy.module.path"] == "inner"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_an_exception_marks_every_span_that_it_ends_and_reaches_the_caller(
    asynchronous: bool, telemetry: Recorded
) -> None:
    error = LookupError("nothing found")

    class Failing(dspy.Module):
        def forward(self, question: str) -> None:
            raise error

        async def aforward(self, question: str) -> None:
            raise error

    class Around(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Failing()

        def forward(self, question: str) -> Any:
            return self.inner(question=question)

        async def aforward(self, question: str) -> Any:
            return await self.inner.acall(question=question)

    with pytest.raises(LookupError) as raised:
        ask(Around(), asynchronous, question="Where?")
    assert raised.value is error
    assert telemetry.tree() == (
        "invoke_workflow Around [ERROR LookupError: nothing found]\n"
        "  invoke_workflow Failing [ERROR LookupError: nothing found]"
    )
    assert [[event.name for event in span.events] for span in telemetry.spans] == [[], ["exception"]]


def test_an_exception_that_the_program_catches_marks_no_span_around(telemetry: Recorded) -> None:
    class Catching(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Plain()

        def forward(self) -> str:
            try:
                return str(self.inner(lambda: 1 / 0))
            except ZeroDivisionError:
                return "caught"

    assert Catching()() == "caught"
    assert telemetry.tree() == (
        "invoke_workflow Catching\n  invoke_workflow Plain [ERROR ZeroDivisionError: division by zero]"
    )


def test_a_built_in_module_that_is_called_wrongly_is_an_error_too(telemetry: Recorded) -> None:
    with pytest.raises(ValueError, match="Positional arguments are not allowed"):
        dspy.Predict("question -> answer")("Where?")
    span = telemetry.span("Predict question -> answer")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "ValueError"


def test_the_duration_of_each_built_in_module_is_a_metric_also_where_it_fails(telemetry: Recorded) -> None:
    with dspy.context(lm=DummyLM([{"reasoning": "so", "score": "0.5"}])):
        dspy.ChainOfThought(JudgeAnswer)(answer="yes")
    with dspy.context(lm=DummyLM([])), pytest.raises(TypeError):
        dspy.MultiChainComparison("question -> answer")(completions=None, question="Where?")
    with pytest.raises(ZeroDivisionError):
        Plain()(lambda: 1 / 0)
    points = telemetry.metric_points("dspy.module.duration")
    assert sorted(
        (point.attributes["dspy.module.name"], point.count, {**point.attributes}.get("error.type")) for point in points
    ) == [("ChainOfThought", 1, None), ("MultiChainComparison", 1, "TypeError"), ("Predict", 1, None)]
    assert {**next(p for p in points if p.attributes["dspy.module.name"] == "Predict").attributes} == {
        "dspy.module.name": "Predict",
        "dspy.signature.name": "JudgeAnswer",
    }
    [workflow] = telemetry.metric_points("gen_ai.invoke_workflow.duration")
    assert {**workflow.attributes} == {"gen_ai.workflow.name": "Plain", "error.type": "ZeroDivisionError"}


def test_a_class_without_forward_fails_as_it_did(telemetry: Recorded) -> None:
    with pytest.raises(AttributeError, match="forward"):
        dspy.Module()()
    assert telemetry.span("invoke_workflow Module").status.status_code is StatusCode.ERROR
