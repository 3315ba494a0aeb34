"""What is known of a module's call before it runs: it stands on the span from its start, where samplers look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_AGENT_NAME,
    GEN_AI_PROMPT_NAME,
)

from .. import semconv
from ..reading import read_past
from .module_classes import ModuleClass, ModuleKind, classify
from .prompts import prompt_name
from .running_modules import RunningModule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

__all__ = ["attributes_of_module", "conventional_names"]


def attributes_of_module(module: RunningModule, module_class: ModuleClass) -> dict[str, AttributeValue]:
    """Return the class and the path of a module, and for one of DSPy's own what the conventions call the place.

    A workflow has the name of an agent too: GenAI conventions 0.1.0 put that in the place of ``gen_ai.workflow.name``,
    which util-genai and backends still use.
    """
    known: dict[str, AttributeValue] = {semconv.DSPY_MODULE_NAME: module_class.name}
    path = module.location.path
    if path:
        known[semconv.DSPY_MODULE_PATH] = path
    if module_class.kind is ModuleKind.BUILT_IN:
        known.update(module.names or _name_of_prompt(module))
    elif module_class.kind is ModuleKind.WORKFLOW:
        known[GEN_AI_AGENT_NAME] = module_class.name
    return known


def conventional_names(module: RunningModule | None) -> Mapping[str, AttributeValue]:
    """Return the name of the agent or workflow that a module is or runs in, or else of its prompt, if it has one.

    The conventions know no operation for DSPy's own modules. With some name of theirs a span counts as one of
    generative AI, in Jaeger's view of those for instance.
    """
    return {} if module is None else module.names or _name_of_prompt(module)


def _name_of_prompt(module: RunningModule) -> Mapping[str, AttributeValue]:
    """Return the name of the one prompt of a predictor, or of a module with one predictor that does its work."""
    if not _is_predictor(module.instance):
        predictor = read_past(module.instance, "__dict__").get("predict")
        if not _is_predictor(predictor):
            return {}
        module = RunningModule.of(predictor, module, {})
    return {GEN_AI_PROMPT_NAME: prompt_name(module)}


def _is_predictor(module: Any) -> bool:
    module_class = type(module)
    return hasattr(module_class, "named_predictors") and classify(module_class).is_predictor
