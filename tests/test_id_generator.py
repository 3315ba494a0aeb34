"""Ids that no seed repeats, and a program that draws the same numbers with and without tracing."""

from __future__ import annotations

import importlib.metadata
import random

import dspy
from dspy.utils import DummyLM
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.id_generator import SystemRandomIdGenerator

SEED = 7


def seeded_run() -> tuple[list[str], list[float]]:
    """The trace ids of a run that is seeded, and the numbers that the program draws in it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(id_generator=SystemRandomIdGenerator())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    DSPyInstrumentor().instrument(tracer_provider=provider)
    try:
        return seeded_ids(exporter), drawn()
    finally:
        DSPyInstrumentor().uninstrument()


def seeded_ids(exporter: InMemorySpanExporter) -> list[str]:
    drawn()
    return [f"{span.context.trace_id:032x}{span.context.span_id:016x}" for span in exporter.get_finished_spans()]


def drawn() -> list[float]:
    random.seed(SEED)
    numbers = []
    with dspy.context(lm=DummyLM([{"answer": "a"}] * 3)):
        for _ in range(3):
            dspy.Predict("question -> answer")(question="Where?")
            numbers.append(random.random())
    return numbers


def test_two_runs_with_one_seed_have_traces_of_their_own_and_draw_what_they_would_without_us() -> None:
    without_us = drawn()
    first_ids, first_numbers = seeded_run()
    second_ids, second_numbers = seeded_run()
    assert first_numbers == second_numbers == without_us
    assert len({*first_ids, *second_ids}) == len(first_ids) + len(second_ids) == 12


def test_ids_are_valid_random_and_found_by_their_name() -> None:
    [point] = importlib.metadata.entry_points(group="opentelemetry_id_generator", name="dspy_system_random")
    generator = point.load()()
    assert type(generator) is SystemRandomIdGenerator
    assert generator.is_trace_id_random()
    assert all(0 < generator.generate_span_id() < 2**64 for _ in range(100))
    traces = {generator.generate_trace_id() for _ in range(100)}
    assert len(traces) == 100
    assert all(0 < trace < 2**128 for trace in traces)
