"""docs/recipes/off-switch.md: what is switched off leaves nothing, and the program goes on as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recipes.running import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server import ModelServer
    from otlp_receiver import OtlpReceiver
    from recorded import Recorded


def test_a_block_and_all_that_comes_after_uninstrument_leave_nothing(
    telemetry: Recorded,
    model_server: ModelServer,
    run_here: Callable[[str], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_here("off_switch")

    assert capsys.readouterr().out == "1 of 3 calls were counted\n"
    assert len(model_server.requests) == 3
    assert telemetry.tree() == "Predict question -> answer\n  chat gpt-4o-mini"
    [point] = telemetry.metric_points("gen_ai.client.operation.duration")
    assert point.count == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "switch",
    [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "dspy,openai,fastapi,celery"}],
    ids=["the SDK", "this library"],
)
def test_a_variable_switches_it_off_for_a_whole_process(
    switch: dict[str, str], model_server: ModelServer, receiver: OtlpReceiver, settings: dict[str, str]
) -> None:
    run(["opentelemetry-instrument", "python", "examples/recipes/feedback.py"], settings | switch)

    assert len(model_server.requests) == 1
    assert (receiver.spans, receiver.metrics, receiver.logs) == ([], [], [])
