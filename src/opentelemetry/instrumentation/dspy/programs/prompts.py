"""Name and version of the prompt that a predictor sends.

The name is where the predictor stands in the program; the version changes when, and only when, the template does:
the instructions, the fields and the demonstrations, not the inputs of one call.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import dataclass
from functools import lru_cache
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

from ..reading import read_past
from ..weak import WeakIdentityMap
from .demos import frozen_demo as _demo
from .demos import listed_demos, written_demos
from .predictors import first_demos
from .signatures import describe, type_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .running_modules import RunningModule

__all__ = ["PromptTemplate", "prompt_name", "prompt_template", "prompt_version"]

VERSION_LENGTH = 12
"""Hexadecimal digits of a version."""


class _Template(NamedTuple):
    """What a version was made from: compared by value, and cheaply where it holds the identical objects."""

    instructions: str
    names: list[str]
    types: list[Any]
    beside: list[Any]
    """Of each field, whether it is an input, its description and its constraints, which reach the prompt too
    (``dspy.adapters.utils``)."""
    demos: list[tuple[Any, ...]]


_versions: WeakIdentityMap[tuple[_Template, str]] = WeakIdentityMap()


def prompt_name(predictor: RunningModule) -> str:
    """Return ``{outermost module}.{path}``, or the signature for a predictor that is called bare."""
    return predictor.location.prompt or describe(_signature(predictor)).label


def prompt_version(predictor: RunningModule) -> str | None:
    """Return 12 hexadecimal digits over the template of a predictor's call.

    ``None`` where nobody can know the template before it is sent: demonstrations out of a generator, or more than can
    be looked at with each call.
    """
    try:
        signature = _signature(predictor)
        demos = listed_demos(_given_or_own(predictor, "demos"))
        if demos is None:
            return None
        template = _template(signature, demos)
        kept = _versions.get(predictor.instance)
        if kept is not None and _is_same(kept[0], template):
            return kept[1]
        version = _digest(template, signature, demos)
        # They may be changed in place.
        kept = template._replace(beside=[None if each is None else {**each} for each in template.beside]), version
    except Exception:  # noqa: BLE001 - demonstrations are the application's objects, and may do anything when looked at
        return None
    _versions.set(predictor.instance, kept)
    return version


def _is_same(kept: _Template, template: _Template) -> bool:
    """Return whether two templates write the same prompt, as far as that can be told without writing it.

    Types are the same object or not: ``Literal["a", "b"]`` is equal to ``Literal["b", "a"]`` and is written otherwise.
    """
    try:
        return kept.names == template.names and all(map(is_, kept.types, template.types)) and kept == template
    except Exception:  # noqa: BLE001 - beside a field there may be anything, such as an array, whose equality has no truth
        return False


def _given_or_own(predictor: RunningModule, name: str) -> Any:
    """Return what a predictor's call was given under a name, else what the predictor has there."""
    if name in predictor.arguments:
        return predictor.arguments[name]
    own = read_past(predictor.instance, "__dict__")
    return own[name] if name in own else getattr(predictor.instance, name)


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """What a prompt consists of, for somebody who reads it."""

    instructions: str
    fields: dict[str, dict[str, dict[str, str]]]
    """Type and description of each of the ``inputs`` and ``outputs``, by name."""
    demos: list[Any]


def prompt_template(predictor: RunningModule) -> PromptTemplate:
    """Return the template of a predictor's call."""
    signature = _signature(predictor)
    return PromptTemplate(
        signature.instructions,
        {"inputs": _read_fields(signature.input_fields), "outputs": _read_fields(signature.output_fields)},
        first_demos(_given_or_own(predictor, "demos")),
    )


def _read_fields(fields: dict[str, Any]) -> dict[str, dict[str, str]]:
    read: dict[str, dict[str, str]] = {}
    for name, field in fields.items():
        read[name] = {"type": type_text(field.annotation)}
        description = (field.json_schema_extra or {}).get("desc")
        # A field without a description has its name in this form.
        if isinstance(description, str) and description != f"${{{name}}}":
            read[name]["description"] = description
    return read


def _signature(predictor: RunningModule) -> Any:
    signature = _given_or_own(predictor, "signature")
    return _signature_from_text(signature) if isinstance(signature, str) else signature


@lru_cache(maxsize=128)
def _signature_from_text(text: str) -> Any:
    from dspy.signatures import Signature  # It is loaded by now, since one of its modules is running.

    return Signature(text)


def _template(signature: Any, demos: Sequence[Any]) -> _Template:
    by_name = signature.model_fields
    fields = by_name.values()
    return _Template(
        signature.__doc__ or "",
        [*by_name],
        [field.annotation for field in fields],
        [field.json_schema_extra for field in fields],
        [_demo(demo, by_name) for demo in demos],
    )


def _digest(template: _Template, signature: Any, demos: Sequence[Any]) -> str:
    fields = [_written_fields(signature.input_fields), _written_fields(signature.output_fields)]
    # As Adapter.format_task_description reads it: DSPy writes the lines, whatever ended them.
    instructions = inspect.cleandoc(template.instructions).splitlines()
    text = json.dumps([instructions, fields, written_demos(signature, demos)], ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:VERSION_LENGTH]


def _written_fields(fields: dict[str, Any]) -> list[Any]:
    """Return what adapters write of fields: names, types and descriptions, and what an output must keep to."""
    from dspy.adapters.utils import get_field_description_string  # DSPy is loaded, or there were no predictor

    return [get_field_description_string(fields), [_note(name, field) for name, field in fields.items()]]


def _note(name: str, field: Any) -> str:
    from dspy.adapters.utils import translate_field_type

    try:
        note: str = translate_field_type(name, field)
    except Exception:  # noqa: BLE001 - not every type has a schema, and pydantic has many ways to say so
        return name
    return note
