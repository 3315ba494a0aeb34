"""What docs/budgets.md shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dspy
import pytest
from desk import Desk
from runs import TRAINSET, VALSET
from scripted_task import Sums, answer, is_right, quiet
from stopped import QUESTIONS, wait_for_workers

from opentelemetry.instrumentation.dspy import usage_scope

if TYPE_CHECKING:
    from model_server import ModelServer
    from recorded import Recorded

PAGE = Path(__file__).parent.parent.parent / "docs" / "budgets.md"


def snippets() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.timeout(100)
def test_the_bound_around_an_optimizer(
    telemetry: Recorded, lm: dspy.LM, model_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    model_server.reply = answer
    with quiet():
        optimizer = dspy.BootstrapFewShotWithRandomSearch(is_right, num_candidate_programs=2, num_threads=2)
        with usage_scope() as evaluation:
            dspy.Evaluate(devset=[*TRAINSET, *VALSET], metric=is_right)(Sums())
    names: dict[str, Any] = {"optimizer": optimizer, "program": Sums(), "trainset": [*TRAINSET, *VALSET]}
    student = names["program"]
    bound = 1.5 * evaluation.cost
    exec(snippets()[0].replace("5.00", repr(bound)), names)
    *_, said, told = capsys.readouterr().out.splitlines()
    wait_for_workers()
    assert names["usage"].exceeded == "max_cost"
    # DSPy leaves its progress bar open, in the same line.
    assert re.search(r"The budget of \$0\.00\d+ \(max_cost\) is used up, so no further call was sent\.", said)
    # What a worker had under way when the block ended came to the total after the page's program had printed it.
    cost, exceeded = told.split()
    assert exceeded == "max_cost"
    assert bound <= float(cost) <= names["usage"].cost
    # The first candidate, which was scored on everything.
    assert isinstance(names["program"], Sums)
    assert names["program"] is not student


def test_the_outlook(telemetry: Recorded, lm: dspy.LM) -> None:
    names: dict[str, Any] = {"usage_scope": usage_scope, "program": Desk(), "questions": QUESTIONS[:6]}
    exec(snippets()[1], names)
    assert names["outlook"].cost == pytest.approx(names["usage"].cost)
    assert names["outlook"].low is not None
