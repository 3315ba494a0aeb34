"""The example notebook runs as it is in a real kernel, and shows below each cell what its text says."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTEBOOK = Path(__file__).parent.parent / "examples" / "notebook" / "traces.ipynb"


@pytest.fixture(scope="module")
def cells() -> Mapping[str, Any]:
    """The cells by their ids, after the notebook has run."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    names = ("OTEL_", "DSPY_", "OPENAI_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    client.execute(env={**environment, "LITELLM_LOCAL_MODEL_COST_MAP": "True"})
    return {cell.id: cell for cell in notebook.cells}


def trees(cell: Any) -> list[str]:
    return [output.data["text/plain"] for output in cell.outputs if output.output_type == "display_data"]


def kinds(cell: Any) -> list[str]:
    return [output.output_type for output in cell.outputs]


def test_the_notebook_is_stored_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []


def test_one_line_is_silent_and_enough(cells: Mapping[str, Any]) -> None:
    assert [kinds(cells[name]) for name in ("load", "model", "program")] == [[], [], []]


def test_a_question_has_its_tree_above_its_answer(cells: Mapping[str, Any]) -> None:
    assert kinds(cells["question"]) == ["display_data", "execute_result"]
    [tree] = trees(cells["question"])
    names = re.findall(r"^[│├└─ ]*[a-zA-Z_]+ \S+", tree, flags=re.MULTILINE)
    assert names[:6] == [
        "invoke_workflow SupportDesk",
        "├─ Predict triage",
        "│  └─ chat gpt-4o-mini",
        "└─ ChainOfThought draft",
        "   └─ Predict draft",
        "      └─ chat gpt-4o-mini",
    ]
    assert " · 2 LM calls · " in tree
    assert " tokens · $0.000" in tree


def test_the_cache_is_told(cells: Mapping[str, Any]) -> None:
    [tree] = trees(cells["cached"])
    assert " · 2 cache hits, saved $0.000" in tree


def test_async_calls_have_a_tree_each(cells: Mapping[str, Any]) -> None:
    assert kinds(cells["async"]) == ["display_data", "display_data", "execute_result"]


def test_the_evaluation_shows_what_failed(cells: Mapping[str, Any]) -> None:
    tree = trees(cells["evaluation"])[-1]
    assert tree.startswith("evaluate answered_well ")
    assert "├─ evaluate_example #1 " in tree
    assert "└─ … 1 more passed" in tree


def test_an_error_has_its_tree(cells: Mapping[str, Any]) -> None:
    [tree] = trees(cells["error"])
    assert "✗ " in tree
    assert kinds(cells["error"]) == ["display_data", "error"]


def test_a_trace_is_drawn_again(cells: Mapping[str, Any]) -> None:
    assert trees(cells["again"]) == trees(cells["question"])


def test_prompts_and_replies_are_shown_where_the_environment_asks(cells: Mapping[str, Any]) -> None:
    [tree] = trees(cells["content"])
    assert "answer: A parcel to Norway takes 5 to 7 working days." in " ".join(tree.split())
    assert "parcel to Norway" not in trees(cells["question"])[0]


def test_nothing_but_what_dspy_logs_goes_to_standard_error(cells: Mapping[str, Any]) -> None:
    outputs = [output for cell in cells.values() for output in cell.get("outputs", [])]
    lines = [line for each in outputs if each.get("name") == "stderr" for line in each.text.splitlines()]
    assert [line for line in lines if " INFO dspy." not in line] == []
