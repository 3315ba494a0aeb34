"""A small run of every optimizer that DSPy ships, and the tree that it must have."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from scripted_task import Moody, Sums, answer, data, is_right, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from model_server import Request, Script

__all__ = ["RUNS", "TRAINSET", "VALSET", "Run", "of_this_version"]

of_this_version = pytest.mark.skipif(
    not dspy.__version__.startswith("3.4"), reason="The trees and scores are those of the optimizers of DSPy 3.4."
)

TRAINSET = data(8)
VALSET = data(6, start=20)
FEW = {"max_bootstrapped_demos": 2, "max_labeled_demos": 2}


@dataclass(frozen=True, slots=True)
class Run:
    """One optimizer's run."""

    name: str
    compile: Callable[[], dspy.Module]
    tree: str
    trials: list[tuple[str, float | None, bool | None]]
    """Kind, score and accepted of each trial of the run itself."""
    roles: dict[str, int]
    """Language model calls of each role."""
    needs: str = "dspy"
    """A module without which the optimizer does not work."""
    model: Callable[[], Script] = lambda: answer
    """Makes the model that answers."""

    @property
    def is_available(self) -> bool:
        """Whether the installed DSPy has what the run takes."""
        if self.name == "BetterTogether" and "optimizers" not in inspect.signature(dspy.BetterTogether).parameters:
            return False
        return find_spec(self.needs) is not None


def labeled() -> dspy.Module:
    return dspy.LabeledFewShot(k=2).compile(Sums(), trainset=TRAINSET)


def bootstrap() -> dspy.Module:
    return dspy.BootstrapFewShot(metric=is_right, max_rounds=2, **FEW).compile(Sums(), trainset=TRAINSET)


def random_search() -> dspy.Module:
    optimizer = dspy.BootstrapFewShotWithRandomSearch(is_right, num_candidate_programs=1, num_threads=2, **FEW)
    return optimizer.compile(Sums(), trainset=TRAINSET, valset=VALSET)


def optuna() -> dspy.Module:
    # With one demonstration to choose from, the sampler, which cannot be given a seed, has no choice.
    few = {"max_bootstrapped_demos": 1, "max_labeled_demos": 1}
    optimizer = dspy.teleprompt.BootstrapFewShotWithOptuna(is_right, num_candidate_programs=2, num_threads=2, **few)
    return optimizer.compile(Sums(), max_demos=1, trainset=TRAINSET, valset=VALSET)


def copro() -> dspy.Module:
    optimizer = dspy.COPRO(metric=judged, breadth=2, depth=2)
    return optimizer.compile(Sums(), trainset=TRAINSET, eval_kwargs={"num_threads": 2})


def mipro_zero_shot() -> dspy.Module:
    none = {"max_bootstrapped_demos": 0, "max_labeled_demos": 0}
    optimizer = dspy.MIPROv2(metric=is_right, auto=None, num_candidates=2, num_threads=2, **none)
    return optimizer.compile(Sums(), trainset=TRAINSET, valset=VALSET, num_trials=3, minibatch=False, **ASK_NOBODY)


def mipro_light() -> dspy.Module:
    optimizer = dspy.MIPROv2(metric=is_right, auto="light", num_threads=2)
    return optimizer.compile(Sums(), trainset=TRAINSET, **ASK_NOBODY)


def mipro_minibatch() -> dspy.Module:
    optimizer = dspy.MIPROv2(metric=judged, auto=None, num_candidates=3, num_threads=2, **FEW)
    sizes = {"num_trials": 4, "minibatch": True, "minibatch_size": 3, "minibatch_full_eval_steps": 2}
    return optimizer.compile(Sums(), trainset=TRAINSET, valset=VALSET, **sizes, **ASK_NOBODY)


def simba() -> dspy.Module:
    optimizer = dspy.SIMBA(metric=judged, bsize=4, num_candidates=2, max_steps=2, max_demos=0, num_threads=1)
    return optimizer.compile(Sums(), trainset=TRAINSET)


def gepa() -> dspy.Module:
    optimizer = dspy.GEPA(
        metric=is_right,
        max_metric_calls=36,
        reflection_lm=dspy.settings.lm,
        reflection_minibatch_size=3,
        num_threads=2,
    )
    return optimizer.compile(Sums(), trainset=TRAINSET, valset=VALSET)


def infer_rules() -> dspy.Module:
    optimizer = dspy.InferRules(metric=is_right, num_candidates=2, num_rules=2, num_threads=2, **FEW)
    return optimizer.compile(Sums(), trainset=TRAINSET, valset=VALSET)


def better_together() -> dspy.Module:
    student = Sums()
    student.set_lm(dspy.settings.lm)
    few = dspy.BootstrapFewShot(metric=is_right, max_bootstrapped_demos=1, max_labeled_demos=1)
    optimizer = dspy.BetterTogether(metric=is_right, p=few, q=dspy.LabeledFewShot(k=1))
    return optimizer.compile(student, trainset=TRAINSET, valset=VALSET, strategy="p -> q", seed=1, num_threads=2)


def ensemble() -> dspy.Module:
    return dspy.Ensemble(reduce_fn=dspy.majority).compile([Sums(), Sums()])


def knn() -> dspy.Module:
    import numpy

    vectorizer = dspy.Embedder(lambda texts: numpy.array([[float(len(text)), 1.0] for text in texts]))
    optimizer = dspy.KNNFewShot(
        k=2, trainset=TRAINSET, vectorizer=vectorizer, metric=is_right, max_bootstrapped_demos=1
    )
    return optimizer.compile(Sums())


def reanchor() -> dspy.Module:
    from dspy.adapters.types.decision import Noul
    from dspy.teleprompt.reanchor import ReAnchor

    fields = {
        "question": (str, dspy.InputField()),
        "answer": (Noul, dspy.OutputField(desc="whether the result is large")),
    }
    student = Sums()
    student.add = dspy.Predict(dspy.Signature(fields, "Say whether the result is large."))

    def is_large(example: dspy.Example, prediction: dspy.Prediction) -> float:
        return float(bool(prediction.answer) == (int(example.answer) > 7))

    return ReAnchor(is_large, num_threads=2, require_cache=False).compile(student, trainset=TRAINSET)


def probability(request: Request) -> Mapping[str, object]:
    """A model that says how likely it is that a result is large."""
    first = int(re.findall(r"What is (\d+) plus", request.prompt.last_message)[-1])
    return {"answer": json.dumps({"noul": first / 10})}


ASK_NOBODY: dict[str, Any] = {"requires_permission_to_run": False} if dspy.__version__.startswith("2.") else {}
"""MIPROv2 of DSPy 2 asks at the terminal before it spends money."""

BOOTSTRAPPED = """
  optimize BootstrapFewShot
    optimize LabeledFewShot
    optimize_trial bootstrap"""

FULL = """
  optimize_trial full
    evaluate {metric}"""

PROPOSALS = """
  Predict DatasetDescriptor
    chat gpt-4o-mini
  Predict ObservationSummarizer
    chat gpt-4o-mini
  GenerateModuleInstruction x{count}
    Predict DescribeProgram
      chat gpt-4o-mini
    Predict DescribeModule
      chat gpt-4o-mini
    Predict GenerateSingleModuleInstruction
      chat gpt-4o-mini"""

REFLECTION = """
  optimize_trial reflection
    evaluate is_right
    Predict ProposeInstruction
      chat gpt-4o-mini
    evaluate is_right"""

RULES = """
  RulesInductionProgram
    ChainOfThought CustomRulesInduction
      Predict CustomRulesInduction
        chat gpt-4o-mini"""

STEP_OF_SIMBA = """
  Parallel
    optimize_trial bootstrap
  Predict OfferFeedback x3
    chat gpt-4o-mini
  Parallel
    optimize_trial minibatch x3"""

LABELED = """
  optimize LabeledFewShot"""

RIGHT = FULL.format(metric="is_right")
JUDGED = FULL.format(metric="judged")

REANCHOR_SCORES = [0.875, 0.875, 0.875, 0.875, 0.625, 0.75, 0.875, 1.0, 0.875, 0.75, 0.625, 0.5, 0.5, 0.875]
"""Of the start, with probabilities, and with each of the thresholds between them."""

RUNS = [
    Run("LabeledFewShot", labeled, "optimize LabeledFewShot", [], {}),
    Run(
        "BootstrapFewShot",
        bootstrap,
        f"optimize BootstrapFewShot{LABELED}\n  optimize_trial bootstrap",
        [("bootstrap", None, True)],
        {"task": 2},
    ),
    Run(
        "BootstrapFewShotWithRandomSearch",
        random_search,
        f"optimize BootstrapFewShotWithRandomSearch{RIGHT}{LABELED}{RIGHT}{BOOTSTRAPPED}{RIGHT}{BOOTSTRAPPED}{RIGHT}",
        [("full", 66.67, True), ("full", 50.0, False), ("full", 83.33, True), ("full", 50.0, False)],
        {"task": 29},
    ),
    Run(
        "BootstrapFewShotWithOptuna",
        optuna,
        f"optimize BootstrapFewShotWithOptuna{BOOTSTRAPPED}{RIGHT.replace('full', 'full x2')}",
        [("full", 66.67, True), ("full", 66.67, False)],
        {"task": 13},
        needs="optuna",
    ),
    Run(
        "COPRO",
        copro,
        "optimize COPRO\n  Predict BasicGenerateInstruction\n    chat gpt-4o-mini"
        + JUDGED.replace("full", "full x2")
        + "\n  Predict GenerateInstructionGivenAttempts\n    chat gpt-4o-mini"
        + JUDGED.replace("full", "full x2"),
        [("full", 75.0, True), ("full", 62.5, False), ("full", 100.0, True), ("full", 100.0, False)],
        {"proposal": 2, "task": 32, "judge": 32},
    ),
    Run(
        "MIPROv2-zero-shot",
        mipro_zero_shot,
        "optimize MIPROv2"
        + BOOTSTRAPPED.replace("\n    optimize LabeledFewShot", "")
        + PROPOSALS.format(count=2)
        + RIGHT.replace("full", "full x4"),
        [("full", 66.67, True), ("full", 100.0, True), ("full", 66.67, False), ("full", 100.0, False)],
        {"task": 27, "proposal": 8},
        needs="optuna",
    ),
    Run(
        "MIPROv2-light",
        mipro_light,
        "optimize MIPROv2"
        + LABELED
        + BOOTSTRAPPED.replace("BootstrapFewShot", "BootstrapFewShot x4")
        + PROPOSALS.format(count=3)
        + RIGHT.replace("full", "full x11"),
        [
            ("full", score, score in (66.67, 83.33) and number in (0, 4))
            for number, score in enumerate(
                [66.67, 50.0, 50.0, 50.0, 83.33, 66.67, 50.0, 83.33, 50.0, 83.33, 83.33],
            )
        ],
        {"task": 72, "proposal": 11},
        needs="optuna",
    ),
    Run(
        "MIPROv2-minibatch",
        mipro_minibatch,
        "optimize MIPROv2"
        + LABELED
        + BOOTSTRAPPED
        + PROPOSALS.format(count=3)
        + JUDGED
        + JUDGED.replace("full", "minibatch x2")
        + JUDGED
        + JUDGED.replace("full", "minibatch x2")
        + JUDGED,
        [
            ("full", 66.67, True),
            ("minibatch", 66.67, None),
            ("minibatch", 66.67, None),
            ("full", 83.33, True),
            ("minibatch", 66.67, None),
            ("minibatch", 100.0, None),
            ("full", 83.33, False),
        ],
        {"task": 32, "judge": 32, "proposal": 11},
        needs="optuna",
    ),
    Run(
        "SIMBA",
        simba,
        f"optimize SIMBA{STEP_OF_SIMBA}{STEP_OF_SIMBA}\n  Parallel\n    optimize_trial full x3",
        [
            ("bootstrap", None, None),
            ("minibatch", 1.0, None),
            ("minibatch", 1.0, None),
            ("minibatch", 0.5, None),
            ("bootstrap", None, None),
            ("minibatch", 0.75, None),
            ("minibatch", 0.75, None),
            ("minibatch", 1.0, None),
            ("full", 0.625, True),
            ("full", 0.5, False),
            ("full", 0.125, False),
        ],
        {"task": 64, "judge": 64, "proposal": 6},
        needs="numpy",
        model=Moody,
    ),
    Run(
        "GEPA",
        gepa,
        f"optimize GEPA{RIGHT}{REFLECTION}\n  optimize_trial reflection\n    evaluate is_right"
        f"{REFLECTION}{REFLECTION} x2{REFLECTION}",
        [
            ("full", 2 / 3, True),
            ("reflection", 1 / 3, False),
            # The minibatch was perfect, so nothing was proposed.
            ("reflection", None, False),
            ("reflection", 1 / 3, False),
            ("reflection", 2 / 3, True),
            ("reflection", 2 / 3, False),
        ],
        {"task": 39, "proposal": 4},
        needs="gepa",
    ),
    Run(
        "InferRules",
        infer_rules,
        f"optimize InferRules{LABELED}\n  optimize_trial bootstrap{RULES}{RIGHT}{RULES}{RIGHT}",
        [("bootstrap", None, True), ("full", 50.0, True), ("full", 50.0, False)],
        {"task": 14, "proposal": 2},
    ),
    Run(
        "BetterTogether",
        better_together,
        f"optimize BetterTogether{RIGHT}{BOOTSTRAPPED}{RIGHT}{LABELED}{RIGHT}",
        [("full", 66.67, True), ("full", 16.67, False), ("full", 66.67, False)],
        {"task": 19},
    ),
    Run(
        "ReAnchor",
        reanchor,
        "optimize ReAnchor\n  optimize_trial full x14",
        [("full", score, number in (0, 7)) for number, score in enumerate(REANCHOR_SCORES)],
        {"task": 14 * 8},
        needs="dspy.teleprompt.reanchor",
        model=lambda: probability,
    ),
    Run("Ensemble", ensemble, "optimize Ensemble", [], {}),
    Run("KNNFewShot", knn, "optimize KNNFewShot", [], {}, needs="numpy"),
]
