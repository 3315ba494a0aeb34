"""Modules that run other modules: comparisons, retries, ensembles, generated programs, conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dspy
import pytest
from desk import DESK, Desk, below, traces
from dspy.primitives.local_interpreter import LocalInterpreter
from interpreters import EXECUTION_ERROR, LOCAL, writing
from recorded import attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_server import ModelServer
    from recorded import Recorded


def test_a_comparison_of_chains_is_one_tree(telemetry: Recorded, lm: dspy.LM) -> None:
    class Compare(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.think = dspy.ChainOfThought("question -> answer", n=2)
            self.compare = dspy.MultiChainComparison("question -> answer", M=2)

        def forward(self, question: str) -> dspy.Prediction:
            return self.compare(self.think(question=question).completions, question=question)

    Compare()(question="Where?")
    assert telemetry.tree() == (
        "invoke_workflow Compare\n"
        "  ChainOfThought think\n"
        "    Predict think\n"
        "      chat gpt-4o-mini\n"
        "  MultiChainComparison compare\n"
        "    Predict compare\n"
        "      chat gpt-4o-mini"
    )


def test_an_ensemble_is_one_tree_with_the_places_of_its_programs(telemetry: Recorded, lm: dspy.LM) -> None:
    program = dspy.Ensemble(reduce_fn=dspy.majority).compile([Desk(), Desk()])
    telemetry.clear()
    program(question="Where?")
    assert telemetry.tree() == below("EnsembledProgram", DESK, DESK)
    assert [attributes_of(span)["dspy.module.path"] for span in telemetry.named("invoke_workflow Desk")] == [
        "programs[0]",
        "programs[1]",
    ]


@pytest.fixture
def local_interpreters() -> Iterator[None]:
    with dspy.context(interpreter_factory=LocalInterpreter):
        yield


@pytest.mark.filterwarnings("ignore:ProgramOfThought is deprecated")
def test_a_program_of_thought_shows_the_code_that_failed_and_its_retry(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, local_interpreters: None
) -> None:
    model_server.reply = writing("1 / 0", "SUBMIT({'answer': 42})")
    dspy.ProgramOfThought("question -> answer")(question="How many?")
    assert telemetry.tree() == (
        "ProgramOfThought question -> answer\n"
        "  ChainOfThought code_generate\n"
        "    Predict code_generate\n"
        "      chat gpt-4o-mini\n"
        f"  {LOCAL} [ERROR {EXECUTION_ERROR}: ZeroDivisionError: division by zero]\n"
        "  ChainOfThought code_regenerate\n"
        "    Predict code_regenerate\n"
        "      chat gpt-4o-mini\n"
        "  execute_tool local_interpreter\n"
        "  ChainOfThought generate_output\n"
        "    Predict generate_output\n"
        "      chat gpt-4o-mini"
    )


@pytest.mark.filterwarnings("ignore:.*Flex.*experimental")
def test_a_generated_program_is_one_tree_with_the_predictors_that_it_calls_back_for(
    telemetry: Recorded, lm: dspy.LM
) -> None:
    dspy.Flex("question -> answer", interpreter_factory=LocalInterpreter)(question="Where?")
    assert telemetry.tree() == (
        "Flex question -> answer\n"
        "  execute_tool local_interpreter\n"
        "  execute_tool local_interpreter\n"
        "    Predict question -> answer\n"
        "      chat gpt-4o-mini"
    )


def test_the_turns_of_a_conversation_are_a_tree_each(telemetry: Recorded, lm: dspy.LM) -> None:
    class Talk(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer = dspy.Predict("question, history: dspy.History -> answer")

        def forward(self, question: str, history: dspy.History) -> dspy.Prediction:
            return self.answer(question=question, history=history)

    talk, history = Talk(), dspy.History(messages=[])
    for question in ("Where?", "When?"):
        prediction = talk(question=question, history=history)
        history.messages.append({"question": question, "answer": prediction.answer})
    turn = "invoke_workflow Talk\n  Predict answer\n    chat gpt-4o-mini"
    assert telemetry.tree() == f"{turn}\n{turn}"
    assert len(traces(telemetry.spans)) == 2
    first, second = (attributes_of(span) for span in telemetry.named("chat gpt-4o-mini"))
    assert first["gen_ai.prompt.version"] == second["gen_ai.prompt.version"]
    assert second["gen_ai.usage.input_tokens"] > first["gen_ai.usage.input_tokens"]
