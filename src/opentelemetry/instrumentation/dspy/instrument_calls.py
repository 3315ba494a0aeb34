"""What an `instrument()` was given: the arguments and the environment, to do the same again later."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["InstrumentCall", "only_these_variables", "variables_of_program"]

_PREFIX = "OTEL_"


@dataclass(frozen=True, slots=True)
class InstrumentCall:
    """The arguments of one ``instrument()``, and the ``OTEL_*`` variables that it read."""

    arguments: Mapping[str, Any]
    variables: Mapping[str, str]

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> InstrumentCall:
        """Return a call with these arguments and the variables as they are now."""
        return cls(dict(arguments), _variables())


@contextmanager
def only_these_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Let these be the ``OTEL_*`` variables inside of the block."""
    before = _variables()
    _around.append(before)
    _put(variables)
    try:
        yield
    finally:
        _put(before)
        _around.pop()


_around: list[Mapping[str, str]] = []
"""The variables of the program, while others stand in their place."""


def variables_of_program() -> Mapping[str, str]:
    """Return the ``OTEL_*`` variables as the program has set them by now."""
    return _around[0] if _around else _variables()


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_PREFIX)}


def _put(variables: Mapping[str, str]) -> None:
    for name in _variables().keys() - variables.keys():
        os.environ.pop(name, None)
    os.environ.update(variables)
