"""What is in the wheel and the source distribution, as the check before a release looks at it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from release import distributions

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = "import sys, hatchling.build as backend; print(getattr(backend, sys.argv[1])(sys.argv[2]))"


@pytest.fixture(scope="module")
def files() -> list[str]:
    return distributions.tracked()


def built(kind: str, folder: Path) -> Path:
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(folder)]
    return folder / subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_a_wheel_has_the_package_and_nothing_else(files: list[str], tmp_path: Path) -> None:
    names = zipfile.ZipFile(built("wheel", tmp_path)).namelist()
    assert distributions.wheel_problems(names, files) == []
    assert distributions.wheel_problems([*names, "opentelemetry/__init__.py"], files) == [
        "opentelemetry/__init__.py is in no source",
        "opentelemetry/__init__.py is outside of the package",
    ]
    without = [name for name in names if not name.endswith(("py.typed", "LICENSE"))]
    assert distributions.wheel_problems(without, files) == [
        "opentelemetry/instrumentation/dspy/py.typed is missing",
        "licenses/LICENSE is missing",
    ]


def test_a_source_distribution_has_all_that_the_repository_has(files: list[str], tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        names = [PurePosixPath(*PurePosixPath(name).parts[1:]).as_posix() for name in archive.getnames()]
    assert distributions.sdist_problems(names, files) == []
    assert distributions.sdist_problems([*names, ".venv/secret"], files) == [".venv/secret is in no source"]
    assert distributions.sdist_problems([name for name in names if name != "SECURITY.md"], files) == [
        "SECURITY.md is missing"
    ]
