"""What a module is to somebody who reads a trace: a workflow, an agent or one of DSPy's own."""

from __future__ import annotations

from typing import Any

import dspy
import pytest

from opentelemetry.instrumentation.dspy.programs.module_classes import ModuleKind, classify

WORKFLOW, AGENT, BUILT_IN = ModuleKind.WORKFLOW, ModuleKind.AGENT, ModuleKind.BUILT_IN


class Program(dspy.Module):
    """A module of the application."""


class SpecialProgram(Program):
    """One that derives from another of the application."""


class Concierge(dspy.ReAct):
    """An agent of the application."""


class Thinking(dspy.ChainOfThought):
    """One of DSPy's modules, changed by the application."""


class Guessing(dspy.Predict):
    """A predictor of the application."""


class ReAct(dspy.Module):
    """A module of the application that happens to have the name of an agent."""


@pytest.mark.parametrize(
    ("module_class", "kind", "is_own"),
    [
        (Program, WORKFLOW, False),
        (SpecialProgram, WORKFLOW, False),
        (ReAct, WORKFLOW, False),
        (dspy.Module, WORKFLOW, True),
        (dspy.ReAct, AGENT, True),
        (dspy.CodeAct, AGENT, True),
        (dspy.RLM, AGENT, True),
        (Concierge, AGENT, False),
        (dspy.Predict, BUILT_IN, True),
        (dspy.ChainOfThought, BUILT_IN, True),
        (dspy.ProgramOfThought, BUILT_IN, True),
        (dspy.BestOfN, BUILT_IN, True),
        (dspy.Refine, BUILT_IN, True),
        (dspy.MultiChainComparison, BUILT_IN, True),
        (Thinking, BUILT_IN, False),
        (Guessing, BUILT_IN, False),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_class_is_what_the_dspy_classes_among_its_ancestors_are(
    module_class: Any, kind: ModuleKind, is_own: bool
) -> None:
    known = classify(module_class)
    assert (known.name, known.kind, known.is_own) == (module_class.__name__, kind, is_own)


def test_predictors_and_chains_of_thought_are_known_as_such() -> None:
    classes = (dspy.Predict, Guessing, dspy.ChainOfThought, Thinking, Program)
    assert [cls.__name__ for cls in classes if classify(cls).is_predictor] == ["Predict", "Guessing"]
    assert [cls.__name__ for cls in classes if classify(cls).hides_reasoning] == ["ChainOfThought", "Thinking"]
