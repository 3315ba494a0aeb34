"""What is told of a sampler before it is asked is what it answers."""

from __future__ import annotations

from importlib.metadata import entry_points
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
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, set_span_in_context

from opentelemetry.instrumentation.dspy.samplers import ASKED_ALWAYS, NEVER_ASKED, UNKNOWN, drops_of

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


def parent_in(context: Context) -> SpanContext:
    return get_current_span(context).get_span_context()


def is_dropped(sampler: Sampler, parent: str) -> bool:
    return sampler.should_sample(PARENTS[parent], TRACE_ID, "name").decision is Decision.DROP


SAMPLERS = [
    ALWAYS_ON,
    ALWAYS_OFF,
    DEFAULT_ON,
    DEFAULT_OFF,
    TraceIdRatioBased(0),
    ParentBased(TraceIdRatioBased(0)),
    ParentBasedTraceIdRatio(0),
    *[ParentBased(**{"root": ALWAYS_ON, name: ALWAYS_OFF}) for name in DELEGATES],
    *[ParentBased(**{**dict.fromkeys(DELEGATES, ALWAYS_OFF), name: ALWAYS_ON}) for name in DELEGATES],
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description())
@pytest.mark.parametrize("parent", PARENTS)
def test_samplers_that_always_answer_the_same_are_known(sampler: Sampler, parent: str) -> None:
    assert drops_of(sampler).span_below(parent_in(PARENTS[parent])) is is_dropped(sampler, parent)


KEPT_TRACE_ID = (TRACE_ID << 64) + 1
"""In the half that ``TraceIdRatioBased(0.5)`` keeps."""


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("trace_id", [TRACE_ID, KEPT_TRACE_ID], ids=["dropped half", "kept half"])
@pytest.mark.parametrize("parent", list(PARENTS)[1:])
def test_a_ratio_of_traces_is_known_for_each_trace_whoever_sampled_the_parent(
    ratio: float, trace_id: int, parent: str
) -> None:
    sampler, given = TraceIdRatioBased(ratio), parent_in(PARENTS[parent])
    span_context = SpanContext(trace_id, 1, given.is_remote, given.trace_flags)
    context = set_span_in_context(NonRecordingSpan(span_context), Context())
    is_dropped = sampler.should_sample(context, trace_id, "name").decision is Decision.DROP
    assert drops_of(sampler).span_below(span_context) is is_dropped


@pytest.mark.parametrize("sampler", [TraceIdRatioBased(0.5), ParentBasedTraceIdRatio(0.5)])
@pytest.mark.parametrize("parent", PARENTS)
def test_nothing_is_said_to_be_dropped_that_may_be_kept(sampler: Sampler, parent: str) -> None:
    if drops_of(sampler).span_below(parent_in(PARENTS[parent])):
        assert is_dropped(sampler, parent)
    assert not drops_of(sampler).span_below(parent_in(PARENTS["root"]))


class OwnRatio(TraceIdRatioBased):
    """The application's own, which may do anything."""


def test_whatever_is_not_the_sdks_own_is_asked_always() -> None:
    assert drops_of(ALWAYS_OFF) is NEVER_ASKED
    assert drops_of(ALWAYS_ON) is ASKED_ALWAYS
    assert drops_of(OwnRatio(0.5)) is UNKNOWN
    assert drops_of(object()) is UNKNOWN
    changed = ParentBased(ALWAYS_OFF)
    del changed._local_parent_not_sampled
    assert drops_of(changed) is UNKNOWN


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description())
def test_those_that_keep_what_a_span_starts_with_are_known(sampler: Sampler) -> None:
    for parent in PARENTS.values():
        result = sampler.should_sample(parent, TRACE_ID, "name", attributes={"kept": True})
        if result.decision is not Decision.DROP:
            assert drops_of(sampler).keeps_attributes
            assert dict(result.attributes or {}) == {"kept": True}
    assert not drops_of(ParentBased(OwnRatio(0.5))).keeps_attributes


NAMED = {point.name: point.load() for point in entry_points(group="opentelemetry_traces_sampler")}
"""What ``OTEL_TRACES_SAMPLER`` names, under ``opentelemetry-instrument``: the SDK's entry points make each."""


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("always_on", ALWAYS_ON),
        ("always_off", ALWAYS_OFF),
        ("parentbased_always_on", DEFAULT_ON),
        ("parentbased_always_off", DEFAULT_OFF),
        ("traceidratio", TraceIdRatioBased(0.5)),
        ("parentbased_traceidratio", ParentBasedTraceIdRatio(0.5)),
    ],
)
def test_a_sampler_that_the_environment_names_is_known_as_the_one_in_code_is(name: str, same: Sampler) -> None:
    assert drops_of(NAMED[name](0.5)) == drops_of(same) != UNKNOWN
