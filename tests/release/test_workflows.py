"""The workflows of the forge are valid, run what the Makefile has, and hand out no more than they need."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compat.capabilities import VERSIONS

ROOT = Path(__file__).resolve().parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)}


def read(path: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def steps_of(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def test_they_are_those_that_the_documents_name() -> None:
    assert [path.stem for path in WORKFLOWS] == ["nightly", "release", "tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_one_by_the_schema_of_the_forge(path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_targets_that_there_are(path: Path) -> None:
    runs = [step["run"] for step in steps_of(path) if "run" in step]
    called = {target for run in runs for target in re.findall(r"\bmake ([a-z-]+)", run)}
    matrix = {target for job in read(path)["jobs"].values() for target in _matrix(job).get("target", [])}
    assert called | matrix
    assert called | matrix <= TARGETS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_each_job_what_it_needs(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    wider = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert wider == (
        {"publish": {"id-token": "write"}, "announce": {"contents": "write"}} if path.stem == "release" else {}
    )
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    assert "secrets." not in path.read_text(encoding="utf-8")


def test_every_python_and_every_dspy_is_tested() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert {*classifiers} <= {*_matrix(jobs["python"])["python"]}
    pairs = _matrix(jobs["compat"])["include"]
    assert [pair["dspy"] for pair in pairs] == [*VERSIONS]
    assert (pairs[0]["python"], pairs[-1]["python"]) == (classifiers[0], classifiers[-1])


def _matrix(job: dict[str, Any]) -> dict[str, Any]:
    matrix: dict[str, Any] = job.get("strategy", {}).get("matrix", {})
    return matrix
