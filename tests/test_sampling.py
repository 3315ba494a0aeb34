"""What is not sampled costs no attribute work; roll-ups and metrics count it all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dspy
import pytest
from opentelemetry.sdk.trace import RandomIdGenerator, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, span_context_of, usage_scope
from opentelemetry.instrumentation.dspy.content import Content

if TYPE_CHECKING:
    from conftest import StartTelemetry
    from model_server import ModelServer


class Desk(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.answer = dspy.ChainOfThought("question -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question)


def test_scopes_and_metrics_count_what_no_span_records(
    start_telemetry: StartTelemetry, cached_lm: dspy.LM, model_server: ModelServer
) -> None:
    telemetry = start_telemetry(sampler=ALWAYS_OFF)
    with usage_scope() as usage:
        Desk()(question="Where?")
        Desk()(question="Where?")
    [request] = model_server.requests
    assert request.usage is not None
    assert telemetry.spans == []
    assert (usage.lm_calls, usage.cache_hits) == (2, 1)
    assert usage.input_tokens == request.usage["prompt_tokens"]
    assert usage.cost == pytest.approx(usage.saved_cost, rel=1e-12)
    [cost] = telemetry.metric_points("gen_ai.client.operation.cost")
    assert cost.sum == usage.cost
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in telemetry.metric_points("gen_ai.client.token.usage")
    }
    assert tokens == {"input": request.usage["prompt_tokens"], "output": request.usage["completion_tokens"]}
    requests = telemetry.metric_points("dspy.cache.requests")
    assert sorted((point.attributes["dspy.cache.hit"], point.value) for point in requests) == [(False, 1), (True, 1)]
    assert sum(point.count for point in telemetry.metric_points("dspy.module.duration")) == 4
    [workflows] = telemetry.metric_points("gen_ai.invoke_workflow.duration")
    assert workflows.count == 2


def test_a_prediction_knows_the_trace_that_was_not_sampled(start_telemetry: StartTelemetry, lm: dspy.LM) -> None:
    start_telemetry(sampler=ALWAYS_OFF)
    context = span_context_of(Desk()(question="Where?"))
    assert context is not None
    assert context.is_valid
    assert not context.trace_flags.sampled


def test_no_content_is_treated_and_no_prompt_is_hashed_for_a_span_that_nobody_sees(
    start_telemetry: StartTelemetry, lm: dspy.LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: list[str] = []

    def noting(name: str, work_of: Any) -> Any:
        def note(*values: Any, **options: Any) -> Any:
            work.append(name)
            return work_of(*values, **options)

        return note

    from opentelemetry.instrumentation.dspy.recorders import lm as lm_recorder

    monkeypatch.setattr(Content, "text", noting("text", Content.text))
    monkeypatch.setattr(Content, "value", noting("value", Content.value))
    monkeypatch.setattr(lm_recorder, "prompt_version", noting("version", lm_recorder.prompt_version))
    monkeypatch.setattr(lm_recorder, "parameter_attributes", noting("request", lm_recorder.parameter_attributes))
    monkeypatch.setattr(NonRecordingSpan, "set_attribute", noting("attribute", NonRecordingSpan.set_attribute))

    from opentelemetry.instrumentation.dspy import DSPyInstrumentor

    start_telemetry(sampler=ALWAYS_OFF, capture="SPAN_ONLY")
    Desk()(question="Where?")
    assert work == []
    DSPyInstrumentor().uninstrument()
    start_telemetry(capture="SPAN_ONLY")
    Desk()(question="Where?")
    assert set(work) == {"text", "value", "version", "request"}


def test_a_trace_is_sampled_as_a_whole_or_not_at_all(start_telemetry: StartTelemetry) -> None:
    telemetry = start_telemetry(sampler=ParentBased(TraceIdRatioBased(0.5)))
    with dspy.context(lm=dspy.utils.DummyLM([{"reasoning": "so", "answer": "here"}] * 40)):
        for _ in range(40):
            Desk()(question="Where?")
    by_trace: dict[int, int] = {}
    for span in telemetry.spans:
        by_trace[span.context.trace_id] = by_trace.get(span.context.trace_id, 0) + 1
    assert 0 < len(by_trace) < 40
    assert set(by_trace.values()) == {4}


def test_a_trace_that_another_provider_did_not_sample_is_recorded_where_the_own_sampler_keeps_it(
    start_telemetry: StartTelemetry, lm: dspy.LM
) -> None:
    telemetry = start_telemetry(sampler=TraceIdRatioBased(1.0))
    others = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("the application's")
    with others.start_as_current_span("request") as request:
        Desk()(question="Where?")
    assert [span.name for span in telemetry.spans] == [
        "invoke_workflow Desk",
        "ChainOfThought answer",
        "Predict answer",
        "chat gpt-4o-mini",
    ]
    assert {span.context.trace_id for span in telemetry.spans} == {request.get_span_context().trace_id}


def test_no_ids_are_drawn_below_a_span_that_is_dropped_for_certain() -> None:
    class Counting(RandomIdGenerator):
        drawn = 0

        def generate_span_id(self) -> int:
            self.drawn += 1
            return super().generate_span_id()

    ids = Counting()
    DSPyInstrumentor().instrument(tracer_provider=TracerProvider(sampler=ALWAYS_OFF, id_generator=ids))
    try:
        with dspy.context(lm=dspy.utils.DummyLM([{"reasoning": "so", "answer": "here"}])):
            Desk()(question="Where?")
    finally:
        DSPyInstrumentor().uninstrument()
    assert ids.drawn == 1  # the outermost, whose trace others may go on with
