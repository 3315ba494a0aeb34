"""The optimizer run to watch."""

from __future__ import annotations

import pytest
from example_runs import Run, dollars_of, read, run


@pytest.fixture(scope="module")
def ran() -> Run:
    return run("watch_optimizer")


def test_each_trial_is_a_line_as_it_ends_and_the_program_gets_better(ran: Run) -> None:
    trials = ran.lines(r"GEPA trial (\d) (full|reflection) · score ([\d.]+) · best ([\d.]+) · .*")
    assert [line[1] for line in trials] == ["0", "1", "2", "3"]
    assert [float(line[3]) for line in trials] == [0.3333, 0.3333, 0.6667, 1.0]
    [best] = [span.attributes["dspy.optimizer.best_score"] for span in ran.named("optimize GEPA")]
    assert best == 1.0


def test_the_table_has_the_score_and_the_cost_of_each_trial(ran: Run) -> None:
    rows = ran.lines(r"(\d) +(full|reflection) +(\d\.\d\d) +\$(\d\.\d+)")
    assert [(row[2], float(row[3])) for row in rows] == [
        ("full", 0.33),
        ("reflection", 0.33),
        ("reflection", 0.67),
        ("reflection", 1.0),
    ]
    costs = [span.attributes["dspy.usage.cost"] for span in ran.named("optimize_trial")]
    assert [float(row[4]) for row in rows] == [pytest.approx(cost, abs=6e-6) for cost in costs]


def test_what_was_paid_for_answers_for_judging_and_for_proposals_is_what_the_model_billed(ran: Run) -> None:
    [line] = ran.lines(r"Together \$([\d.]+): task \$([\d.]+), judge \$([\d.]+), proposal \$([\d.]+)")

    def billed(field: str) -> float:
        asked = [
            body for request, body in ran.calls if field in request["messages"][-1]["content"].split("Respond")[-1]
        ]
        return dollars_of(asked)

    expected = [dollars_of([body for _, body in ran.calls])]
    expected += [billed("`[[ ## team ## ]]`"), billed("`[[ ## feedback ## ]]`"), billed("`new_instruction`")]
    assert [float(line[place]) for place in (1, 2, 3, 4)] == [pytest.approx(cost, abs=6e-6) for cost in expected]
    assert min(expected) > 0


def test_the_best_instruction_is_the_last_that_was_proposed(ran: Run) -> None:
    proposals = read("watch_optimizer", "script.json")["new_instruction"]
    assert f"The best instruction:\n{proposals[0]['new_instruction']}\n" in ran.output


def test_the_tree_of_the_run_leaves_out_the_examples(ran: Run) -> None:
    [run_span] = ran.named("optimize GEPA")
    examples = ran.named("evaluate_example")
    assert len(examples) == 6 + 6 + 12 + 12
    assert {span.trace_id for span in examples}.isdisjoint({run_span.trace_id})
    assert "evaluate_example" not in ran.output
