"""What a sampler of the SDK does with a span whatever the span starts with: then nothing has to be worked out for it.

A sampler decides by its own rules, and only the SDK's own are known. They are asked for by their exact types: a
subclass, and what stands behind one of the application's, may decide by anything.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

__all__ = ["ASKED_ALWAYS", "NEVER_ASKED", "UNKNOWN", "Drops", "drops_of"]

_SAMPLERS_OF_THE_SDK = "opentelemetry.sdk.trace.sampling"
"""The SDK is no requirement of this library; where a tracer is the SDK's, it is loaded."""

_STATIC = ("StaticSampler", "_AlwaysOff", "_AlwaysOn")
_PARENT_BASED = ("ParentBased", "ParentBasedTraceIdRatio", "_ParentBasedAlwaysOff", "_ParentBasedAlwaysOn")
"""With an underscore those that ``OTEL_TRACES_SAMPLER`` makes: the SDK's entry points name classes of their own."""

_DELEGATES = (
    "_root",
    "_remote_parent_sampled",
    "_remote_parent_not_sampled",
    "_local_parent_sampled",
    "_local_parent_not_sampled",
)
"""Where ``ParentBased`` keeps the samplers that it asks."""


_LAST_64_BITS = (1 << 64) - 1
"""What ``TraceIdRatioBased`` looks at of a trace id."""


@dataclass(frozen=True, slots=True)
class Drops:
    """For each sort of parent that a span may have, whether the span is dropped for certain."""

    root: bool = False
    below_remote_sampled: bool = False
    below_remote_not_sampled: bool = False
    below_local_sampled: bool = False
    below_local_not_sampled: bool = False
    keeps_attributes: bool = False
    """Whether a span that is not dropped has all the attributes that it started with."""
    keeps_below: int | None = None
    """Of a sampler that decides by the trace alone: the end of the trace ids, in their last 64 bits, that it keeps."""

    def span_below(self, parent: SpanContext) -> bool:
        """Return whether a span below another one, or below none, is dropped for certain."""
        if not parent.is_valid:
            return self.root
        if self.keeps_below is not None:
            return parent.trace_id & _LAST_64_BITS >= self.keeps_below
        if parent.is_remote:
            return self.below_remote_sampled if parent.trace_flags.sampled else self.below_remote_not_sampled
        return self.below_local_sampled if parent.trace_flags.sampled else self.below_local_not_sampled


UNKNOWN = Drops()
ASKED_ALWAYS = Drops(keeps_attributes=True)
NEVER_ASKED = Drops(True, True, True, True, True, keeps_attributes=True)


def drops_of(sampler: object) -> Drops:
    """Return what a sampler drops whatever a span starts with; nothing for one that is not known."""
    try:
        drops = _drops_of(sampler)
    except Exception:  # noqa: BLE001 - its fields are the SDK's own, and another SDK may have others
        return UNKNOWN
    return next((known for known in (UNKNOWN, ASKED_ALWAYS, NEVER_ASKED) if drops == known), drops)


def _drops_of(sampler: Any) -> Drops:
    if _drops_all(sampler):
        return NEVER_ASKED
    if _is(sampler, *_STATIC):
        return ASKED_ALWAYS
    if _is(sampler, "TraceIdRatioBased"):
        # Whether the parent is sampled tells nothing: another provider's sampler may have decided that.
        return Drops(keeps_attributes=True, keeps_below=sampler.bound)
    if _is(sampler, *_PARENT_BASED):
        delegates = [getattr(sampler, delegate) for delegate in _DELEGATES]
        keeps = all(_is(delegate, *_STATIC, "TraceIdRatioBased") for delegate in delegates)
        root, *below = map(_drops_all, delegates)
        return replace(Drops(root, *below), keeps_attributes=keeps)
    return UNKNOWN


def _drops_all(sampler: Any) -> bool:
    if _is(sampler, "TraceIdRatioBased"):
        return bool(sampler.bound <= 0)
    return _is(sampler, *_STATIC) and not sampler._decision.is_recording()


def _is(sampler: object, *names: str) -> bool:
    known = sys.modules.get(_SAMPLERS_OF_THE_SDK)
    return known is not None and any(type(sampler) is getattr(known, name, None) for name in names)
