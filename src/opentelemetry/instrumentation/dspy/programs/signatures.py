"""What a DSPy signature is called and how it reads, worked out once for each signature."""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from .. import semconv
from ..encodable import encodable
from ..weak import WeakIdentityMap

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

__all__ = ["SignatureDescription", "cut_label", "describe", "describe_answer", "note_derived", "type_text"]

MAX_LABEL_LENGTH = 80
"""Characters of a signature's text form, or of the name of its place, in a span name."""

_UNNAMED = "StringSignature"
"""The class name that ``dspy.signatures.signature.make_signature`` gives to every signature without one."""


@dataclass(frozen=True, slots=True)
class SignatureDescription:
    """The words for one signature."""

    name: str | None
    """Class name of a named signature, also of what DSPy derived from one; ``None`` for a text form."""
    fields: str
    """DSPy's text form with the types other than ``str``: ``question, context -> answer: float``."""
    label: str
    """What stands in a span's name: the name, else the text form without types, at most 80 characters."""
    attributes: dict[str, AttributeValue]
    """The same for a span: never changed in place."""


_descriptions: WeakIdentityMap[SignatureDescription] = WeakIdentityMap()
_answer_descriptions: WeakIdentityMap[SignatureDescription] = WeakIdentityMap()
_names: WeakIdentityMap[str] = WeakIdentityMap()

_REASONING = "reasoning"
"""The output field that ``ChainOfThought.__init__`` puts before those of the signature it is given."""


def describe(signature: Any) -> SignatureDescription:
    """Return the description of a signature class."""
    description = _descriptions.get(signature)
    if description is None:
        description = _describe(signature, hidden=())
        _descriptions.set(signature, description)
    return description


def describe_answer(signature: Any) -> SignatureDescription:
    """Return the description of a chain of thought's signature as its user wrote it, without the reasoning."""
    description = _answer_descriptions.get(signature)
    if description is None:
        description = _describe(signature, hidden=(_REASONING,))
        _answer_descriptions.set(signature, description)
    return description


def note_derived(signature: Any, base: Any) -> None:
    """Remember that DSPy made a signature out of another.

    ``Signature.prepend``, ``with_instructions`` and their like return a class that has lost the name of the one it
    came from; a ``ChainOfThought(JudgeAnswer)``, and every program after an optimizer, would be nameless.
    """
    name = _name(base)
    if name is not None and _own_name(signature) is None:
        _names.set(signature, name)


def _own_name(signature: Any) -> str | None:
    name = encodable(signature.__name__)
    return None if name == _UNNAMED else name


def _name(signature: Any) -> str | None:
    return _own_name(signature) or _names.get(signature)


def _describe(signature: Any, hidden: tuple[str, ...]) -> SignatureDescription:
    name = _name(signature)
    inputs = signature.input_fields
    outputs = {name_: field for name_, field in signature.output_fields.items() if name_ not in hidden}
    text = encodable(f"{', '.join(inputs)} -> {', '.join(outputs)}")
    label = name or cut_label(text)
    fields = encodable(f"{_with_types(inputs)} -> {_with_types(outputs)}")
    attributes: dict[str, AttributeValue] = {semconv.DSPY_SIGNATURE_FIELDS: fields}
    if name is not None:
        attributes[semconv.DSPY_SIGNATURE_NAME] = name
    return SignatureDescription(name, fields, label, attributes)


def cut_label(text: str) -> str:
    """Return what of a text stands in a span's name."""
    return text if len(text) <= MAX_LABEL_LENGTH else f"{text[: MAX_LABEL_LENGTH - 1]}…"


def _with_types(fields: dict[str, Any]) -> str:
    return ", ".join(
        name if field.annotation is str else f"{name}: {type_text(field.annotation)}" for name, field in fields.items()
    )


def type_text(annotation: Any) -> str:
    """Return a type as it is written in a program that imported it by its name, the same on every Python version."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is Ellipsis:
        return "..."
    if isinstance(annotation, list):  # The parameters of a Callable.
        return f"[{', '.join(map(type_text, annotation))}]"
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is Annotated:
        return type_text(arguments[0])
    if origin in (Union, UnionType):
        return " | ".join(map(type_text, arguments))
    if arguments and hasattr(origin, "__name__"):
        return f"{origin.__name__}[{', '.join(map(type_text, arguments))}]"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
