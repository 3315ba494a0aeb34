"""docs/recipes/multiprocessing.md: work in other processes belongs to the trace, and all of it is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recipes.running import run, tree

if TYPE_CHECKING:
    from otlp_receiver import OtlpReceiver

QUESTIONS = """\
questions
  Predict question -> answer
    chat gpt-4o-mini
  Predict question -> answer
    chat gpt-4o-mini
  Predict question -> answer
    chat gpt-4o-mini"""


@pytest.mark.parametrize(
    "program",
    [
        ["examples/recipes/multiprocessing_jobs.py", "fork"],
        ["examples/recipes/multiprocessing_jobs.py", "spawn"],
        ["examples/recipes/multiprocessing_jobs.py", "forkserver"],
        ["examples/recipes/joblib_jobs.py"],
    ],
    ids=["fork", "spawn", "forkserver", "joblib"],
)
def test_the_work_of_other_processes_is_in_the_trace_and_counted(
    program: list[str], receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    # Batches leave at the end alone, however slow the machine is.
    settings["OTEL_BSP_SCHEDULE_DELAY"] = "600000"
    output = run(["opentelemetry-instrument", "python", *program], settings).stdout

    assert len(output.splitlines()) == 3
    assert tree(receiver.spans) == QUESTIONS
    points = [point.count or 0 for point in receiver.metrics if point.name == "gen_ai.client.operation.duration"]
    assert sum(points) == 3
