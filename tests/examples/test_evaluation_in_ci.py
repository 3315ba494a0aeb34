"""The evaluation as a check in CI."""

from __future__ import annotations

import re
import runpy
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from example_runs import EXAMPLES, KeptModel, dollars_of, read, run

if TYPE_CHECKING:
    from pathlib import Path

    from recorded import Recorded

REVIEWS = read("evaluation_in_ci", "reviews.json")
WRONG = "Well, at least the box was pretty."


def test_a_score_below_the_bound_fails_the_check_and_the_reports_lead_to_the_trace(tmp_path: Path) -> None:
    junit, markdown = tmp_path / "report.xml", tmp_path / "summary.md"
    ran = run("evaluation_in_ci", "--least-score", "90", "--junit", str(junit), "--markdown", str(markdown))

    dollars = f"${dollars_of([body for _, body in ran.calls]):.6f}"
    line = f"FAILED: score 87.5 % (at least 90 %), {dollars} (at most $0.01), 1 of 8 wrong"
    assert ran.code == 1
    assert line in ran.output.splitlines()

    [example] = [span for span in ran.named("evaluate_example") if span.attributes["dspy.evaluate.example.score"] == 0]
    [program] = [span for span in ran.named("Predict") if span.parent_span_id == example.span_id]
    told = f"4 instead of 2 stars (trace {program.trace_id}, span {program.span_id})"
    assert f"{WRONG}: {told}" in ran.output.splitlines()

    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("9", "1")
    assert [failure.get("message") for failure in suite.iter("failure")] == [line]
    assert [case.get("name") for case in suite] == ["score and cost", *(review["review"] for review in REVIEWS)]
    assert [said.text for said in suite.iter("system-out")] == [told]
    assert f"**Evaluation {line}**" in markdown.read_text()
    assert f"| {WRONG} | 2 | 4 | `{program.trace_id}` |" in markdown.read_text()


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        ([], "passed: score 87.5 % (at least 80 %), $0.… (at most $0.01), 1 of 8 wrong"),
        (["--most-dollars", "0.0001"], "FAILED: score 87.5 % (at least 80 %), $0.… (at most $0.0001), 1 of 8 wrong"),
    ],
    ids=["good and cheap", "good and too dear"],
)
def test_the_check_passes_where_score_and_cost_are_within_their_bounds(
    telemetry: Recorded,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    outcome: str,
) -> None:
    with KeptModel("evaluation_in_ci") as model:
        monkeypatch.setenv("DEMO_API_BASE", model.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        monkeypatch.setattr(sys, "argv", ["app.py", *arguments])
        code = runpy.run_path(str(EXAMPLES / "evaluation_in_ci" / "app.py"))["main"]()
    said = capsys.readouterr().out.splitlines()[-1]
    assert re.sub(r"\$0\.000\d+ \(", "$0.… (", said) == outcome
    assert code == (0 if outcome.startswith("passed") else 1)
