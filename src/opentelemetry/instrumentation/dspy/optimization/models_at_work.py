"""Which language models are at work in an evaluation or an optimizer run, under the names that their calls have."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from .. import semconv
from ..language_models.providers import identity_of
from ..programs.predictors import predictors_of
from ..reading import is_kind, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.util.types import AttributeValue

__all__ = ["evaluation_models", "optimizer_models"]

MAX_PROGRAMS = 100
"""Programs of one optimizer run that are asked for their models."""

_PROPOSERS = ("comparator", "feedback_instruction", "rules_induction_program")
"""Where optimizers of DSPy without a ``prompt_model`` keep the modules that write instructions."""


def evaluation_models(program: Any) -> dict[str, AttributeValue]:
    """Return the models that a program is evaluated with, as a span attribute."""
    return _named({semconv.DSPY_LM_TASK: _models_of(program, _default())})


def optimizer_models(optimizer: Any, arguments: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Return the models that an optimizer works with, as span attributes, by what each is for.

    ``arguments`` are those of ``compile``. The teacher is named where the program is not its own teacher.
    """
    settings = read(optimizer, "__dict__", {})
    default = _default()
    student = arguments.get("student", arguments.get("programs"))
    return _named(
        {
            semconv.DSPY_LM_TASK: _models_of(student, _first(settings.get("task_model"), default)),
            semconv.DSPY_LM_PROMPT: _prompt_models(settings, default),
            semconv.DSPY_LM_REFLECTION: [settings.get("reflection_lm")],
            semconv.DSPY_LM_TEACHER: _teachers(optimizer, settings, arguments, default),
        }
    )


def _prompt_models(settings: Mapping[str, Any], default: Any) -> list[Any]:
    if "prompt_model" in settings:
        return [_first(settings["prompt_model"], default)]
    proposers = [settings[name] for name in _PROPOSERS if name in settings]
    return _models_of(proposers, _first(_teacher_lm(settings), default))


def _teachers(optimizer: Any, settings: Mapping[str, Any], arguments: Mapping[str, Any], default: Any) -> list[Any]:
    own, teacher = _teacher_lm(settings), arguments.get("teacher")
    if own is not None and any(ancestor.__name__ == "SIMBA" for ancestor in type(optimizer).__mro__):
        return [own]  # It sets the model on its copies of the program, instead of theirs.
    if teacher is None:
        # The student teaches itself, with another model if one is given; one of its own goes before that.
        return [] if own is None else _models_of(arguments.get("student"), own)
    return _models_of(teacher, _first(own, settings.get("task_model"), default))


def _teacher_lm(settings: Mapping[str, Any]) -> Any:
    teacher_settings: Any = settings.get("teacher_settings")
    return dict.get(teacher_settings, "lm") if is_kind(teacher_settings, dict) else None


def _models_of(program: Any, default: Any) -> list[Any]:
    """Return the language models of a program: of each predictor its own, else the default.

    Several programs are a list of them. A function that stands in for one can use the default alone; a module without
    predictors need not use any.
    """
    if is_kind(program, list, tuple):
        single = (each for each in islice(program, MAX_PROGRAMS) if not is_kind(each, list, tuple))
        return [model for each in single for model in _models_of(each, default)]
    if program is None:
        return []
    if not hasattr(type(program), "named_predictors"):
        return [default]
    return [_first(read(predictor, "lm"), default) for _, predictor in predictors_of(program)]


def _default() -> Any:
    from dspy.dsp.utils.settings import settings  # DSPy is loaded, or there were nothing to evaluate

    return read(settings, "lm")


def _first(*models: Any) -> Any:
    return next((model for model in models if model is not None), None)


def _named(models: Mapping[str, Iterable[Any]]) -> dict[str, AttributeValue]:
    names = {
        role: [*dict.fromkeys(identity_of(model).model for model in of_role if not is_kind(model, str, type(None)))]
        for role, of_role in models.items()
    }
    return {role: of_role for role, of_role in names.items() if of_role}
