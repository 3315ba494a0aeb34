"""What is told of a sampler before it is asked is what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from opentelemetry.instrumentation.dspy.samplers import ASKED_ALWAYS, NEVER_ASKED, drops_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler

TRACE_ID = 1 << 63
"""In the half that ``TraceIdRatioBased(0.5)`` drops."""

DELEGATES = [
    "root",
    "remote_parent_sampled",
    "remote_parent_not_sampled",
    "local_parent_sampled",
    "local_parent_not_sampled",
]


def below(*, is_remote: bool, is_sampled: bool) -> Context:
    flags = TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)
    return set_span_in_context(NonRecordingSpan(SpanContext(TRACE_ID, 1, is_remote, flags)), Context())


PARENTS = {
    "root": Context(),
    "remote_parent_sampled": below(is_remote=True, is_sampled=True),
    "remote_parent_not_sampled": below(is_remote=True, is_sampled=False),
    "local_parent_sampled": below(is_remote=False, is_sampled=True),
    "local_parent_not_sampled": below(is_remote=False, is_sampled=False),
}


def is_dropped(sampler: Sampler, parent: str) -> bool:
    return sampler.should_sample(PARENTS[parent], TRACE_ID, "name").decision is Decision.DROP


SAMPLERS = [
    ALWAYS_ON,
    ALWAYS_OFF,
    DEFAULT_ON,
    DEFAULT_OFF,
    *[ParentBased(**{"root": ALWAYS_ON, name: ALWAYS_OFF}) for name in DELEGATES],
    *[ParentBased(**{**dict.fromkeys(DELEGATES, ALWAYS_OFF), name: ALWAYS_ON}) for name in DELEGATES],
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description())
@pytest.mark.parametrize("parent", PARENTS)
def test_samplers_that_always_answer_the_same_are_known(sampler: Sampler, parent: str) -> None:
    assert drops_of(sampler).span_in(PARENTS[parent]) is is_dropped(sampler, parent)


@pytest.mark.parametrize("sampler", [TraceIdRatioBased(0.5), ParentBasedTraceIdRatio(0.5)])
@pytest.mark.parametrize("parent", PARENTS)
def test_nothing_is_said_to_be_dropped_that_may_be_kept(sampler: Sampler, parent: str) -> None:
    if drops_of(sampler).span_in(PARENTS[parent]):
        assert is_dropped(sampler, parent)


@pytest.mark.parametrize("sampler", [TraceIdRatioBased(0.5), ParentBasedTraceIdRatio(0.5)])
def test_what_is_below_a_trace_that_a_ratio_dropped_is_dropped(sampler: Sampler) -> None:
    assert drops_of(sampler).span_in(PARENTS["local_parent_not_sampled"])
    assert not drops_of(sampler).span_in(PARENTS["root"])


class OwnRatio(TraceIdRatioBased):
    """The application's own, which may do anything."""


def test_whatever_is_not_the_sdks_own_is_asked_always() -> None:
    assert drops_of(ALWAYS_OFF) is NEVER_ASKED
    assert drops_of(OwnRatio(0.5)) is ASKED_ALWAYS
    assert drops_of(object()) is ASKED_ALWAYS
    changed = ParentBased(ALWAYS_OFF)
    del changed._local_parent_not_sampled
    assert drops_of(changed) is ASKED_ALWAYS
