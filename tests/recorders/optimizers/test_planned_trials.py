"""A run that tells beforehand how many trials it will have, has as many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recorded import attributes_of
from runs import RUNS, Run, of_this_version
from scripted_task import quiet, trials

if TYPE_CHECKING:
    import dspy
    from model_server import ModelServer
    from recorded import Recorded

TELLING = {
    "BootstrapFewShotWithRandomSearch",
    "BootstrapFewShotWithOptuna",
    "COPRO",
    "InferRules",
    "MIPROv2-zero-shot",
    "MIPROv2-minibatch",
}


@of_this_version
@pytest.mark.parametrize("run", [pytest.param(run, id=run.name) for run in RUNS])
def test_the_trials_are_as_many_as_were_planned(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, run: Run
) -> None:
    if not run.is_available:
        pytest.skip(f"needs {run.needs}")
    model_server.reply = run.model()
    with quiet():
        run.compile()
    # The first to begin is the outermost.
    whole = next(attributes_of(span) for span in telemetry.spans if span.name.startswith("optimize "))
    planned = whole.get("dspy.optimizer.planned_trials")
    assert (planned is not None) == (run.name in TELLING)
    if planned is not None:
        of_run = trials(telemetry, whole["dspy.optimizer.run_id"])
        assert planned == whole["dspy.optimizer.trials"] == len(of_run)
        assert {trial["dspy.optimizer.planned_trials"] for trial in of_run} == {planned}
