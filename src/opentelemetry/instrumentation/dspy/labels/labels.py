"""Attributes that say on a metric point where its call comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .given import LabelValue

__all__ = ["NO_LABELS", "Labels"]


class Labels:
    """The same attributes are one object, by whose identity points are kept."""

    __slots__ = ("attributes",)

    def __init__(self, attributes: Mapping[str, LabelValue]) -> None:
        self.attributes = attributes
        """Never changed in place."""


NO_LABELS: Final = Labels({})
