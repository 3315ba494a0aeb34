"""The signatures of a whole program: its own, or those of its predictors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import semconv
from ..encodable import encodable
from ..reading import read, read_past
from .module_classes import ModuleClass, ModuleKind, classify
from .places import modules_below
from .predictors import predictors_of
from .signatures import SignatureDescription, describe, describe_answer

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["output_names", "program_signature_attributes", "signature_of"]


def signature_of(module: Any, module_class: ModuleClass) -> SignatureDescription | None:
    """Return the signature that a built-in module or agent was made with."""
    signature = _own_signature(module, module_class)
    if signature is None:
        return None
    return describe_answer(signature) if module_class.hides_reasoning else describe(signature)


def output_names(module: Any) -> frozenset[str]:
    """Return the names of the output fields of the signature that a built-in module or agent was made with."""
    signature = _own_signature(module, classify(type(module)))
    return frozenset() if signature is None else frozenset(signature.output_fields)


def _own_signature(module: Any, module_class: ModuleClass) -> Any:
    if module_class.kind is ModuleKind.WORKFLOW:
        return None
    attributes = read_past(module, "__dict__")
    # Flex has it as a property.
    signature = attributes.get("signature", attributes.get("_signature_cls"))
    if signature is None:
        signature = read(attributes.get("predict"), "signature")
    # On the metaclass, which has it as a property: asked for on the class it would be worked out.
    return signature if hasattr(type(signature), "input_fields") else None


def program_signature_attributes(program: Any) -> dict[str, AttributeValue]:
    """Return the signature of a program as span attributes; of one with several predictors, the signature of each."""
    if not hasattr(type(program), "named_predictors"):
        return {}
    own = signature_of(program, classify(type(program)))
    predictors = predictors_of(program) if own is None else []
    if len(predictors) == 1:
        own = _only_signature(program)
    if own is not None:
        attributes: dict[str, AttributeValue] = {semconv.DSPY_SIGNATURE_FIELDS: own.fields}
        if own.name is not None:
            attributes[semconv.DSPY_SIGNATURE_NAME] = own.name
        return attributes
    if not predictors:
        return {}
    each = [f"{encodable(path)}={describe(predictor.signature).fields}" for path, predictor in predictors]
    return {semconv.DSPY_PROGRAM_SIGNATURES: each}


def _only_signature(program: Any) -> SignatureDescription | None:
    """Return the signature of a program with one predictor, as it was given to the module that has the predictor."""
    found = (signature_of(module, classify(type(module))) for _, module in modules_below(program))
    return next((signature for signature in found if signature is not None), None)
