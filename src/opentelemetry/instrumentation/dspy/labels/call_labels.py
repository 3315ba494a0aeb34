"""The attributes that say on metric points where a call comes from: worked out once for each set of them, and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.context import get_current
from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_PROMPT_NAME

from .. import semconv
from .given import GIVEN, cut, typed_items
from .labels import Labels
from .names import name_in_stores
from .origins import origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..context import Call
    from .baggage import Baggage
    from .bounded_values import BoundedValues
    from .given import GivenLabels, LabelValue
    from .origins import Origin

__all__ = ["CallLabels"]

MAX_KEPT = 10_000
"""Sets of labels that are kept; a table that is full begins anew."""

_Key: TypeAlias = "tuple[Origin, GivenLabels | None, GivenLabels | None]"


class CallLabels:
    """The labels of the calls of one instrumentation, with a bound on the distinct values of each."""

    __slots__ = ("_baggage", "_by_content", "_kept", "_values")

    def __init__(self, values: BoundedValues, baggage: Baggage | None) -> None:
        self._values = values
        self._baggage = baggage
        self._kept: dict[_Key, Labels] = {}
        self._by_content: dict[tuple[Any, ...], Labels] = {}

    def of(self, call: Call) -> Labels:
        """Return the labels of a call that begins, with the baggage that is current."""
        return self.with_origin(origin_of(call), call)

    def with_origin(self, origin: Origin, call: Call) -> Labels:
        """Return the same where it is known where the call comes from."""
        carried = None if self._baggage is None else self._baggage.attributes_in(get_current()).on_metrics
        key = origin, call.kept.get(GIVEN), carried
        labels = self._kept.get(key)
        return self._keep(key) if labels is None else labels

    def _keep(self, key: _Key) -> Labels:
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
            self._by_content.clear()
        attributes = self._bounded(*key)
        # What is beyond a bound is the same for many.
        labels = self._by_content.setdefault(typed_items(attributes), Labels(attributes))
        self._kept[key] = labels
        return labels

    def _bounded(
        self, origin: Origin, given: GivenLabels | None, carried: GivenLabels | None
    ) -> Mapping[str, LabelValue]:
        # What the program itself says goes before what came with a request, also by a name that a store takes for the
        # same: it would make one value of both.
        wanted: dict[str, LabelValue] = {}
        spelt: dict[str, str] = {}
        for labels in (carried, given):
            for name, value in () if labels is None else labels.attributes.items():
                wanted.pop(spelt.get(name_in_stores(name), name), None)
                spelt[name_in_stores(name)] = name
                wanted[name] = value
        ours = (
            (semconv.DSPY_PROGRAM, origin.program),
            (GEN_AI_PROMPT_NAME, origin.prompt),
            (semconv.DSPY_OPTIMIZER_ROLE, origin.role),
        )
        wanted.update({name: cut(value) for name, value in ours if value is not None})
        bounded = {name: self._values.of(name, value) for name, value in wanted.items()}
        return {self._values.spelling_of(name): value for name, value in bounded.items() if value is not None}
