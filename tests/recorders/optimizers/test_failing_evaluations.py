"""An evaluation that cannot be recorded: the optimizer goes on, and none of its spans stays open or current."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import INVALID_SPAN, get_current_span
from runs import RUNS, Run
from scripted_task import quiet

from opentelemetry.instrumentation.dspy.context import NO_CALL, current_call
from opentelemetry.instrumentation.dspy.optimization.evaluations import Evaluation

if TYPE_CHECKING:
    import dspy
    from model_server import ModelServer
    from recorded import Recorded


def fail(*_: Any) -> None:
    raise ZeroDivisionError("the examples cannot be numbered")


@pytest.mark.complaints
@pytest.mark.parametrize(
    "run",
    [pytest.param(run, id=run.name, marks=() if run.is_available else pytest.mark.skip(run.needs)) for run in RUNS],
)
def test_no_span_of_a_run_stays_open_where_evaluations_fail_to_be_recorded(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(Evaluation, "number", fail)
    model_server.reply = run.model()
    with quiet():
        run.compile()
    assert [span.name for span in telemetry.collector.open] == []
    if run.name == "SIMBA":
        # All its trials are those of the run itself, and each is opened by its first example.
        assert len(telemetry.named("optimize_trial")) == len(run.trials)
    assert get_current_span() is INVALID_SPAN
    assert current_call() is NO_CALL
