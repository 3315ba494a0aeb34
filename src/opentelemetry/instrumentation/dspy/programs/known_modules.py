"""What is known of a module's call before it runs: it stands on the span from its start, where samplers look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_AGENT_NAME,
    GEN_AI_PROMPT_NAME,
    GEN_AI_WORKFLOW_NAME,
)

from .. import semconv
from .module_classes import ModuleKind, classify
from .prompts import prompt_name
from .running_modules import RunningModule

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["attributes_of_module", "conventional_names"]


def attributes_of_module(module: RunningModule) -> dict[str, AttributeValue]:
    """Return the class and the path of a module, and for one of DSPy's own what the conventions call the place."""
    module_class = classify(type(module.instance))
    known: dict[str, AttributeValue] = {semconv.DSPY_MODULE_NAME: module_class.name}
    path = module.path
    if path:
        known[semconv.DSPY_MODULE_PATH] = path
    if module_class.kind is ModuleKind.BUILT_IN:
        known.update(conventional_names(module))
    return known


def conventional_names(module: RunningModule | None) -> dict[str, AttributeValue]:
    """Return the name of the agent or workflow that a module is or runs in, or else of its prompt, if it has one.

    The conventions know no operation for DSPy's own modules. With some name of theirs a span counts as one of
    generative AI, in Jaeger's view of those for instance.
    """
    return {} if module is None else _names_around(module) or _name_of_prompt(module)


def _names_around(module: RunningModule | None) -> dict[str, AttributeValue]:
    while module is not None:
        if module.agent is not None:
            return {GEN_AI_AGENT_NAME: module.agent.name}
        module_class = classify(type(module.instance))
        if module_class.kind is ModuleKind.WORKFLOW:
            return {GEN_AI_WORKFLOW_NAME: module_class.name}
        module = module.caller
    return {}


def _name_of_prompt(module: RunningModule) -> dict[str, AttributeValue]:
    """Return the name of the one prompt of a predictor, or of a module with one predictor that does its work."""
    if not _is_predictor(module.instance):
        predictor = vars(module.instance).get("predict")
        if not _is_predictor(predictor):
            return {}
        module = RunningModule(predictor, module, {})
    return {GEN_AI_PROMPT_NAME: prompt_name(module)}


def _is_predictor(module: Any) -> bool:
    module_class = type(module)
    return hasattr(module_class, "named_predictors") and classify(module_class).is_predictor
