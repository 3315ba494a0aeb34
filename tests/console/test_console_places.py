"""What a row says of the place of its module: what neither the row above it nor the span's name says already."""

from __future__ import annotations

import re

import pytest
from console_spans import Recorded, chat, printed, span


def module(name: str, path: str, *children: Recorded) -> Recorded:
    return span(name, *(children or (chat(1),)), dspy__module__path=path)


def names(*children: Recorded) -> list[str]:
    """The names of the rows below a workflow, without the lines of the tree and the calls of language models."""
    lines = printed(span("invoke_workflow Desk", *children, gen_ai__operation__name="invoke_workflow")).splitlines()
    found = [re.sub(r"^[│├└─ ]+", "", re.split(r"  +\d", line)[0]).rstrip() for line in lines]
    return [name for name in found if name and not name.startswith(("invoke_workflow", "chat", "total"))]


@pytest.mark.parametrize(
    ("name", "path", "row"),
    [
        ("Predict react", "react", "Predict react"),
        ("Predict steps", "steps[2]", "Predict steps [2]"),
        ("Predict experts", "experts['a.b']", "Predict experts ['a.b']"),
        ("Predict TriageQuestion", "triage", "Predict TriageQuestion (triage)"),
        ("Predict question -> answer", "predict", "Predict question -> answer (predict)"),
        ("BestOfN", "best", "BestOfN (best)"),
        ("Predict last", "inner.last", "Predict last (inner.last)"),
        ("Predict step", "stepping[0]", "Predict step (stepping[0])"),
    ],
)
def test_a_place_is_said_once(name: str, path: str, row: str) -> None:
    assert names(module(name, path)) == [row]


def test_what_does_the_work_of_the_row_above_says_no_more_than_its_name() -> None:
    thought = module("ChainOfThought extract", "extract", module("Predict extract", "extract.predict"))
    steps = module("ChainOfThought steps", "steps[1]", module("Predict steps", "steps[1].predict"))
    inner = module("ChainOfThought best", "best.module", module("Predict best", "best.module.predict"))
    best = module("BestOfN", "best", inner)
    assert names(thought, steps, best) == [
        "ChainOfThought extract",
        "Predict extract",
        "ChainOfThought steps [1]",
        "Predict steps",
        "BestOfN (best)",
        "ChainOfThought best",
        "Predict best",
    ]


def test_a_named_signature_says_nothing_of_the_place() -> None:
    draft = module("ChainOfThought DraftAnswer", "draft", module("Predict DraftAnswer", "draft.predict"))
    assert names(draft) == ["ChainOfThought DraftAnswer (draft)", "Predict DraftAnswer (.predict)"]


def test_an_agents_parts_are_said_below_it() -> None:
    extract = module("ChainOfThought extract", "agent.extract", module("Predict extract", "agent.extract.predict"))
    agent = module("invoke_agent ReAct", "agent", module("Predict react", "agent.react"), extract)
    assert names(agent) == ["invoke_agent ReAct (agent)", "Predict react", "ChainOfThought extract", "Predict extract"]
