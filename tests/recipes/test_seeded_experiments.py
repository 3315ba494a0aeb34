"""docs/recipes/seeded-experiments.md: what is seeded repeats itself, and its traces do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recipes.running import run

if TYPE_CHECKING:
    from otlp_receiver import OtlpReceiver

PROGRAM = ["python", "examples/recipes/seeded_experiments.py"]


def test_a_seeded_run_draws_the_same_numbers_as_without_tracing_and_has_a_trace_of_its_own(
    receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    number, no_trace = run(PROGRAM, settings).stdout.splitlines()
    settings |= {"OTEL_PYTHON_ID_GENERATOR": "dspy_system_random", "OTEL_METRICS_EXEMPLAR_FILTER": "always_off"}
    # An exporter draws too, which would show on a busy machine alone.
    settings |= dict.fromkeys(("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY"), "3600000")
    settings |= {"OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
    runs = [run(["opentelemetry-instrument", *PROGRAM], settings).stdout.splitlines() for _ in range(2)]

    assert no_trace == "None"
    assert [drawn for drawn, _ in runs] == [number, number]
    assert len({trace for _, trace in runs}) == 2
    assert {trace for _, trace in runs} <= {span.trace_id for span in receiver.spans}
    assert len({span.trace_id for span in receiver.spans}) == 4


def test_the_generator_of_the_sdk_takes_part_in_the_experiment(
    receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    # What the page warns of.
    first, second = (run(["opentelemetry-instrument", *PROGRAM], settings).stdout for _ in range(2))

    assert first == second
    assert len({span.trace_id for span in receiver.spans}) == 2
