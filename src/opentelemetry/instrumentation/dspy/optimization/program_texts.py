"""The prompts of the programs that an optimizer tries, and of the one that it chooses, as content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import semconv
from ..programs.predictors import first_demos, instructions_of, predictors_of
from ..reading import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

    from ..content import Content

__all__ = ["TriedProgram", "chosen_texts"]


@dataclass(slots=True)
class TriedProgram:
    """What a trial tries, as far as it is known."""

    program: Any = None
    """The program that ran last in the trial."""
    proposed: Mapping[str, Any] = field(default_factory=dict)
    """Instructions by path that were proposed after that, in whose place they stand."""
    found_demos: Mapping[str, Any] | None = None
    """Demonstrations by path that the trial found, instead of those that the program has."""

    def run(self, program: Any) -> None:
        """Take note of a program that runs now: what was proposed before is in it, or has come to nothing."""
        self.program = program
        self.proposed = {}

    def texts(self, content: Content) -> dict[str, AttributeValue]:
        """Return its instructions and demonstrations as span attributes."""
        predictors = predictors_of(self.program)
        instructions = {**_instructions(predictors), **self.proposed}
        demos = _demos(predictors) if self.found_demos is None else self.found_demos
        names = semconv.DSPY_OPTIMIZER_TRIAL_INSTRUCTIONS, semconv.DSPY_OPTIMIZER_TRIAL_DEMOS
        return _texts(content, instructions, demos, *names)


def chosen_texts(content: Content, program: Any) -> dict[str, AttributeValue]:
    """Return instructions and demonstrations of the program that an optimizer returned as span attributes."""
    predictors = predictors_of(program)
    names = semconv.DSPY_OPTIMIZER_BEST_INSTRUCTIONS, semconv.DSPY_OPTIMIZER_BEST_DEMOS
    return _texts(content, _instructions(predictors), _demos(predictors), *names)


def _instructions(predictors: list[tuple[str, Any]]) -> dict[str, str]:
    return {path: instructions_of(predictor) for path, predictor in predictors}


def _demos(predictors: list[tuple[str, Any]]) -> dict[str, Any]:
    return {path: read(predictor, "demos") for path, predictor in predictors}


def _texts(
    content: Content,
    instructions: Mapping[str, Any],
    demos: Mapping[str, Any],
    instructions_name: str,
    demos_name: str,
) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {}
    if instructions:
        attributes[instructions_name] = content.named_json(instructions, "system")
    shown = {path: first for path, of_predictor in demos.items() if (first := first_demos(of_predictor))}
    if shown:
        attributes[demos_name] = content.named_json(shown, "input")
    return attributes
