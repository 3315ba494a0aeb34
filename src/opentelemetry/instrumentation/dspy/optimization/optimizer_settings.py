"""What of an optimizer and of the arguments of its ``compile`` may stand on a span: scalars that can be no secret."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from .. import semconv
from ..encodable import encodable
from ..reading import is_kind, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

    from ..context import Call

__all__ = ["compile_arguments", "setting_attributes"]

_WORDS = frozenset({"auto", "candidate_selection_strategy", "component_selector", "optimize_for", "strategy"})
"""Settings whose text is one of a few words. Any other text may be a key: GEPA has ``wandb_api_key``."""

_COUNTERS = frozenset({"error_count", "total_calls", "prompt_model_total_calls"})
"""Numbers among an optimizer's attributes that are no settings."""


def compile_arguments(call: Call) -> dict[str, Any]:
    """Return the arguments of a ``compile`` by name."""
    named = dict(call.keyword_arguments)
    if call.arguments:
        parameters = [
            name
            for name, parameter in inspect.signature(getattr(call.instance, call.attribute)).parameters.items()
            if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ]
        named.update(zip(parameters, call.arguments, strict=False))
    return named


def setting_attributes(optimizer: object, arguments: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Return numbers, booleans and known words as ``dspy.optimizer.param.*``; arguments go before attributes."""
    settings = {**read(optimizer, "__dict__", {}), **arguments}
    return {
        encodable(f"{semconv.DSPY_OPTIMIZER_PARAM}.{name}"): encodable(value) if is_kind(value, str) else value
        for name, value in settings.items()
        if not name.startswith("_")
        and name not in _COUNTERS
        and (is_kind(value, bool, int, float) or (is_kind(value, str) and name in _WORDS))
    }
