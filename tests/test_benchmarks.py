"""The benchmark's floors emit the same telemetry as this library, and its verdicts say what was measured."""

from __future__ import annotations

import pytest

pytest.importorskip("dspy.lm15", reason="the benchmark's language model is an engine of DSPy 3.4")

import dspy

from benchmarks.contenders import (
    FLOOR,
    GENAI_DSPY,
    NOBODY,
    OPENINFERENCE,
    OURS,
    UTIL_GENAI_FLOOR,
    Contender,
    record,
    replayed,
)
from benchmarks.programs import PROGRAMS, SETTINGS, language_model
from benchmarks.recorded import RecordedSpan, outline
from benchmarks.report import Cell, Measurements, verdicts


def recorded(program: str) -> list[RecordedSpan]:
    with dspy.context(lm=language_model(), **SETTINGS):
        return record(PROGRAMS[program].create)


def names(spans: list[RecordedSpan]) -> list[object]:
    return [[span.name, *names(span.children)] for span in spans]


def metrics(spans: list[RecordedSpan]) -> list[str]:
    return [
        name for span in spans for name in (*(point.instrument.name for point in span.points), *metrics(span.children))
    ]


def test_the_support_desk_is_recorded_with_its_spans_and_the_price_of_its_call() -> None:
    spans = recorded("desk")

    assert names(spans) == [
        ["invoke_workflow SupportDesk", ["ChainOfThought RouteTicket", ["Predict RouteTicket", ["chat gpt-4o-mini"]]]]
    ]
    assert sorted(metrics(spans)) == [
        "dspy.cache.requests",
        "dspy.module.duration",
        "dspy.module.duration",
        "gen_ai.client.operation.cost",
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.token.usage",
        "gen_ai.invoke_workflow.duration",
    ]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("floor", [UTIL_GENAI_FLOOR, FLOOR], ids=["util-genai", "bare-sdk"])
def test_a_floor_emits_the_same_spans_attributes_and_points(floor: Contender, program: str) -> None:
    spans = recorded(program)

    assert outline(replayed(floor, spans)) == outline(spans)


def test_a_floor_that_leaves_something_out_is_noticed() -> None:
    spans = recorded("predict")
    # The span of a chat has these two, and util-genai gets no other value from elsewhere.
    chat = spans[0].children[0]
    chat.points = [point for point in chat.points if point.instrument.name != "gen_ai.client.token.usage"]

    with pytest.raises(ValueError, match="util-genai by hand does not emit what this library emits"):
        replayed(UTIL_GENAI_FLOOR, spans)


def test_a_ratio_is_of_what_each_adds_to_the_program() -> None:
    assert cell(nobody=[100, 200, 300], ours=[130, 230, 340], peer=[140, 240, 360]).ratio(GENAI_DSPY.name) == 0.75


def test_a_verdict_tells_the_ratio_and_whether_the_target_is_reached() -> None:
    sampled = cell(nobody=[100, 100], ours=[225, 225], peer=[200, 200])
    sampler_off = cell(nobody=[100, 100], ours=[201, 201], peer=[200, 200])
    exported = cell(nobody=[100, 100], ours=[240, 240], peer=[200, 200])
    exported.rounds[OPENINFERENCE.name] = [500, 500]
    answer = Measurements("a program", {}, {"sampled": sampled, "sampler off": sampler_off})
    cached = Measurements("a program", {}, {"exported": exported})

    assert verdicts({"answer": answer, "cached": cached}).splitlines() == [
        "cached, exported: at most 1.25 of bare SDK by hand: 1.40, NOT reached",
        "cached, exported: at most 0.40 of openinference: 0.35, reached",
        "cached, exported: at most 2.40 of the program's own: 2.40, reached",
        "answer, sampled: at most 1.25 of genai-dspy: 1.25, reached",
        "answer, sampler off: at most 1.00 of genai-dspy: 1.01, NOT reached",
    ]


def cell(nobody: list[float], ours: list[float], peer: list[float]) -> Cell:
    made = Cell()
    made.rounds.update({NOBODY.name: nobody, OURS.name: ours, GENAI_DSPY.name: peer, FLOOR.name: peer})
    return made
