"""The recipe for pytest runs as a reader would run it, and the page shows the program and what it prints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from model_server import ModelServer

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent
PROGRAM = (ROOT / "examples" / "recipes" / "test_answers.py").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "recipes" / "pytest.md").read_text(encoding="utf-8")


@pytest.fixture
def project(pytester: pytest.Pytester, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of a reader's, and the model that the recipe asks."""
    monkeypatch.setenv("MODEL_URL", model_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    return pytester


def without_figures(text: str) -> str:
    """A text in which figures, ids and columns are the same in each run."""
    text = re.sub("trace [0-9a-f]{32}", "trace", text)
    text = re.sub(r"[0-9.,]*[0-9]( ms| µs| s\b)?", "0", text)
    return re.sub(" +", " ", text)


BLOCKS = re.findall("```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_page_shows_the_program() -> None:
    assert BLOCKS[0] == PROGRAM


def test_it_works_without_pytest_as_the_page_says(project: pytest.Pytester) -> None:
    path = project.makepyfile(program="\n".join(BLOCKS))
    result = project.runpython(path)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["invoke_workflow Answer *", "total · 2 LM calls · *"])


def test_the_tests_of_the_recipe_pass(project: pytest.Pytester) -> None:
    project.makepyfile(test_answers=PROGRAM)
    project.runpytest_subprocess("--strict-markers").assert_outcomes(passed=3)


def test_a_broken_bound_reads_as_the_page_says(project: pytest.Pytester) -> None:
    project.makepyfile(test_answers=PROGRAM.replace("(lm_calls=2, cost=0.01)\ndef", "(lm_calls=1, cost=1e-5)\ndef"))
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=2, failed=1)
    [expected] = re.findall("```text\n(.*?)```", PAGE, flags=re.DOTALL)
    assert without_figures(expected) in without_figures(result.stdout.str())
