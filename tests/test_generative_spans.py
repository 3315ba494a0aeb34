"""Which spans a view of generative AI shows, and what they belong to there.

Jaeger UI 2.20 takes a span for one of generative AI by any ``gen_ai.*`` attribute except ``gen_ai.tool.call.id``
(``utils/genai/detect.ts``), and every such view groups by ``gen_ai.conversation.id``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from dspy.utils import DummyLM
from every_kind import FIRST_WORDS, run_every_kind, script
from recorded import attributes_of
from search_server import SearchServer

from opentelemetry.instrumentation.dspy import telemetry_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conftest import StartTelemetry
    from model_server import ModelServer
    from recorded import Recorded


@pytest.fixture
def colbert() -> Iterator[dspy.ColBERTv2]:
    with SearchServer() as server:
        yield dspy.ColBERTv2(url=f"{server.url}/wiki17_abstracts")


def is_generative(attributes: Mapping[str, Any]) -> bool:
    return any(name.startswith("gen_ai.") and name != "gen_ai.tool.call.id" for name in attributes)


def generative_names(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name.startswith("gen_ai.")}


def test_every_span_carries_the_conversation(
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    colbert: dspy.ColBERTv2,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS", "true")
    telemetry = start_telemetry()
    model_server.reply = script()
    with telemetry_context(conversation_id="c-42", attributes={"user.id": "u-7"}):
        run_every_kind(colbert)
    assert {span.name.partition(" ")[0] for span in telemetry.spans} == FIRST_WORDS
    for span in telemetry.spans:
        assert attributes_of(span)["gen_ai.conversation.id"] == "c-42", span.name
        assert attributes_of(span)["user.id"] == "u-7", span.name


def test_all_that_runs_in_a_program_or_an_evaluation_counts_as_generative(
    start_telemetry: StartTelemetry,
    lm: dspy.LM,
    model_server: ModelServer,
    colbert: dspy.ColBERTv2,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_DSPY_ADAPTER_SPANS", "true")
    telemetry = start_telemetry()
    model_server.reply = script()
    run_every_kind(colbert)
    others = {span.name.partition(" ")[0] for span in telemetry.spans if not is_generative(attributes_of(span))}
    # Runs of optimizers and their trials are no operations of the conventions, and nothing of theirs names them.
    assert others == {"optimize", "optimize_trial"}


def test_a_module_of_dspys_is_named_by_what_it_runs_in(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, colbert: dspy.ColBERTv2
) -> None:
    model_server.reply = script()
    run_every_kind(colbert)
    in_workflow = {"gen_ai.workflow.name": "Desk"}
    assert generative_names(telemetry.attributes("Parallel")) == in_workflow
    assert generative_names(telemetry.attributes("KNN")) == in_workflow
    assert generative_names(telemetry.attributes("ChainOfThought answer")) == in_workflow
    in_agent = {"gen_ai.agent.name": "ReAct"}
    steps = telemetry.named("Predict react")
    assert [generative_names(attributes_of(span)) for span in steps] == [in_agent, in_agent]
    assert telemetry.attributes("execute_tool search")["gen_ai.agent.name"] == "ReAct"


@pytest.mark.parametrize(
    ("module", "name", "prompt"),
    [
        (lambda: dspy.Predict("question -> answer"), "Predict question -> answer", "question -> answer"),
        (
            lambda: dspy.ChainOfThought("question -> answer"),
            "ChainOfThought question -> answer",
            "ChainOfThought.predict",
        ),
        (
            lambda: dspy.BestOfN(dspy.ChainOfThought("question -> answer"), 1, lambda arguments, made: 1.0, 0.5),
            "ChainOfThought question -> answer",
            "BestOfN.module.predict",
        ),
    ],
)
def test_a_module_in_no_program_is_named_by_its_prompt(
    module: Any, name: str, prompt: str, telemetry: Recorded
) -> None:
    with dspy.context(lm=DummyLM([{"reasoning": "so", "answer": "here"}])):
        module()(question="Where?")
    assert telemetry.attributes(name)["gen_ai.prompt.name"] == prompt
    # The same prompt as that of its call.
    assert telemetry.attributes("chat dummy")["gen_ai.prompt.name"] == prompt
