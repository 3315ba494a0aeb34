"""Values that no reply and no request should hold: what JSON can carry, what mocks are, what raises when looked at."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import numpy as np
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HOSTILE", "Odd", "Untouchable", "hostile_values", "json_values"]


class Untouchable:
    """Raises whatever is done with it."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("do not touch")

    __getattr__ = __eq__ = __bool__ = __float__ = __int__ = __index__ = _refuse
    __iter__ = __len__ = __str__ = __repr__ = __contains__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class Nameless:
    """Does not even say what it is."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("do not ask")


class Liar(int):
    """Is a whole number, and says something else."""

    def __float__(self) -> float:
        raise ArithmeticError

    def __int__(self) -> int:
        raise ArithmeticError


@dataclass(frozen=True)
class Odd:
    """A value that is only made where it is needed."""

    make: Callable[[], Any]


def mock_of(kind: type) -> MagicMock:
    """A double that ``isinstance`` takes for what it was made after, and that has a number for ``float``."""
    return MagicMock(spec=kind)


class Refusing(dict):  # type: ignore[type-arg]
    """A mapping that cannot be asked."""

    def get(self, *_: Any) -> Any:
        raise KeyError

    __getitem__ = get


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NaN", "inf", "-1", "12", "1e999", "0x10", "\ud800", 10**400, -(10**30), 2**63, -3, 1.5]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)

HOSTILE: tuple[Callable[[], Any], ...] = (
    Untouchable,
    Nameless,
    Refusing,
    MagicMock,
    lambda: mock_of(int),
    lambda: mock_of(float),
    lambda: mock_of(str),
    lambda: mock_of(dict),
    lambda: mock_of(list),
    lambda: Liar(5),
    lambda: Decimal("sNaN"),
    lambda: Decimal("1e1000000"),
    lambda: Fraction(1, 3),
    lambda: np.array([1, 2]),
    lambda: np.float64("nan"),
    lambda: b"bytes",
    lambda: 1j,
    lambda: object,
)

hostile_values = st.builds(Odd, json_values.map(lambda value: lambda: value) | st.sampled_from(HOSTILE))
"""The values are made by ``Odd.make``: hypothesis cannot look at what raises when it is looked at."""
