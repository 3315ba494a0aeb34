"""What a sampler of the SDK does with a span whatever the span starts with: then nothing has to be worked out for it.

A sampler decides by its own rules, and only the SDK's own are known. They are asked for by their exact types: a
subclass, and what stands behind one of the application's, may decide by anything.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_current_span

if TYPE_CHECKING:
    from opentelemetry.context import Context

__all__ = ["ASKED_ALWAYS", "NEVER_ASKED", "Drops", "drops_of"]

_SAMPLERS_OF_THE_SDK = "opentelemetry.sdk.trace.sampling"
"""The SDK is no requirement of this library; where a tracer is the SDK's, it is loaded."""

_DELEGATES = (
    "_root",
    "_remote_parent_sampled",
    "_remote_parent_not_sampled",
    "_local_parent_sampled",
    "_local_parent_not_sampled",
)
"""Where ``ParentBased`` keeps the samplers that it asks."""


@dataclass(frozen=True, slots=True)
class Drops:
    """For each sort of parent that a span may have, whether the span is dropped for certain."""

    root: bool = False
    below_remote_sampled: bool = False
    below_remote_not_sampled: bool = False
    below_local_sampled: bool = False
    below_local_not_sampled: bool = False

    def span_in(self, context: Context) -> bool:
        """Return whether a span that starts in a context is dropped for certain."""
        if self is ASKED_ALWAYS:
            return False
        parent = get_current_span(context).get_span_context()
        if not parent.is_valid:
            return self.root
        if parent.is_remote:
            return self.below_remote_sampled if parent.trace_flags.sampled else self.below_remote_not_sampled
        return self.below_local_sampled if parent.trace_flags.sampled else self.below_local_not_sampled


ASKED_ALWAYS = Drops()
NEVER_ASKED = Drops(*[True] * len(_DELEGATES))


def drops_of(sampler: object) -> Drops:
    """Return what a sampler drops whatever a span starts with; nothing for one that is not known."""
    try:
        drops = _drops_of(sampler)
    except Exception:  # noqa: BLE001 - its fields are the SDK's own, and another SDK may have others
        return ASKED_ALWAYS
    return next((known for known in (ASKED_ALWAYS, NEVER_ASKED) if drops == known), drops)


def _drops_of(sampler: object) -> Drops:
    if _is(sampler, "StaticSampler"):
        return NEVER_ASKED if _drops_all(sampler) else ASKED_ALWAYS
    if _is(sampler, "TraceIdRatioBased"):
        # A parent in this process has the same trace id, and was dropped for it.
        return Drops(below_local_not_sampled=True)
    if _is(sampler, "ParentBased", "ParentBasedTraceIdRatio"):
        return Drops(*[_drops_all(getattr(sampler, delegate)) for delegate in _DELEGATES])
    return ASKED_ALWAYS


def _drops_all(sampler: Any) -> bool:
    return _is(sampler, "StaticSampler") and not sampler._decision.is_recording()


def _is(sampler: object, *names: str) -> bool:
    known = sys.modules.get(_SAMPLERS_OF_THE_SDK)
    return known is not None and any(type(sampler) is getattr(known, name, None) for name in names)
