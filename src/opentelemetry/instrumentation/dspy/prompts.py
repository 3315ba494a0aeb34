"""Name and version of the prompt that a predictor sends.

The name is where the predictor stands in the program; the version changes when, and only when, the template does:
the instructions, the fields and the demonstrations, not the inputs of one call.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .signatures import describe
from .weak import WeakIdentityMap

if TYPE_CHECKING:
    from .context import RunningModule

__all__ = ["prompt_name", "prompt_version"]

VERSION_LENGTH = 12
"""Hexadecimal digits of a version."""

_FIELD_PROPERTIES = ("desc", "constraints")
"""What of a field's ``json_schema_extra`` reaches the prompt (``dspy.adapters.utils``)."""


@dataclass(frozen=True, slots=True)
class _Template:
    """What a version was made from: compared by value, and cheaply where it holds the identical strings."""

    instructions: str
    fields: tuple[tuple[Any, ...], ...]
    demos: tuple[tuple[Any, ...], ...]


_versions: WeakIdentityMap[tuple[_Template, str]] = WeakIdentityMap()


def prompt_name(predictor: RunningModule) -> str:
    """Return ``{outermost module}.{path}``, or the signature for a predictor that is called bare."""
    if predictor.path is None:
        return describe(_signature(predictor)).label
    return f"{type(predictor.outermost.instance).__name__}.{predictor.path}"


def prompt_version(predictor: RunningModule) -> str:
    """Return 12 hexadecimal digits over the template of a predictor's call."""
    template = _template(predictor)
    kept = _versions.get(predictor.instance)
    if kept is not None and kept[0] == template:
        return kept[1]
    version = _digest(template)
    _versions.set(predictor.instance, (template, version))
    return version


def _signature(predictor: RunningModule) -> Any:
    signature = predictor.arguments.get("signature", predictor.instance.signature)
    return predictor.instance.signature if isinstance(signature, str) else signature


def _template(predictor: RunningModule) -> _Template:
    signature = _signature(predictor)
    demos = predictor.arguments.get("demos", predictor.instance.demos) or ()
    fields = signature.model_fields
    return _Template(
        signature.__doc__ or "",
        tuple(_field(name, field) for name, field in fields.items()),
        tuple(tuple(_frozen(demo[name]) if name in demo else None for name in fields) for demo in demos),
    )


def _field(name: str, field: Any) -> tuple[Any, ...]:
    extra = field.json_schema_extra
    return name, field.annotation, *(extra.get(name_) for name_ in _FIELD_PROPERTIES)


def _frozen(value: Any) -> Any:
    """Return something that changes when the value does, also one that is changed in place."""
    return value if value is None or isinstance(value, str) else repr(value)


def _digest(template: _Template) -> str:
    content = [template.instructions, template.fields, template.demos]
    text = json.dumps(content, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:VERSION_LENGTH]
