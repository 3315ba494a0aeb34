"""What is wrapped or replaced in DSPy, and how it is found in the DSPy that is installed."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    from .calls import Noter, Recorder

__all__ = ["Replacement", "Seam", "import_named", "is_there", "resolve"]


@dataclass(frozen=True, slots=True)
class Seam:
    """A DSPy callable and the recorder of its calls."""

    module: str
    owner: str | None
    """Name of a class in the module; ``None`` for a function of the module itself."""
    attribute: str
    recorder: Recorder | Noter
    subclasses: bool = False
    optional: bool = False
    """Whether some supported DSPy versions lack it, so that its absence is not worth a word."""
    within_call: bool = False
    """Whether an object calls it on itself while its own call runs: then the call is not one that goes on (super)."""
    only_below: bool = False
    """Whether the owner itself need not have the attribute: its subclasses do."""
    goes_on: bool = False
    """Whether it is a step of the object's own call, which others may call directly: one call is one span, whichever
    door it came in by."""
    on_instances: bool = False
    """Whether each instance keeps a callable of its own under the name, and the class has none."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """Another object for a name in one of DSPy's modules, or in a class in one (``module:Class.Inner``)."""

    module: str
    name: str
    original: object
    """What the name must stand for; anything else is left alone."""
    replacement: object


def is_there(seam: Seam) -> bool:
    """Return whether the installed DSPy has what a seam names."""
    owner = resolve(seam)
    return owner is not None and (seam.attribute in vars(owner) or seam.only_below or seam.on_instances)


def resolve(seam: Seam) -> type | ModuleType | None:
    """Return the class or module that has what a seam names, ``None`` where the installed DSPy has none."""
    module = import_named(seam.module)
    return module if module is None or seam.owner is None else getattr(module, seam.owner, None)


def import_named(name: str) -> Any:
    """Return a module, or what stands in one after a colon, ``None`` where there is none."""
    try:
        return pkgutil.resolve_name(name if ":" in name else f"{name}:")
    except (ImportError, AttributeError):
        return None
