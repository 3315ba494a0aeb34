"""The wheel and the source distribution: how they are built, and what is in them, file by file."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from .steps import ROOT, FailedError, run

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["build", "check_metadata", "check_sdist", "check_wheel", "sdist_problems", "wheel_problems"]

PACKAGE = "opentelemetry/instrumentation/dspy/"
PLUGIN = "pytest_dspy_telemetry.py"

MADE_BY_THE_BACKEND = {"PKG-INFO", "pyproject.toml", ".gitignore"}
"""What the build backend adds to a source distribution by itself."""

LEFT_OUT = (".ci/", ".github/", ".nojekyll")
"""What the repository has and the source distribution need not have: it is about the repository alone."""


def build(folder: Path) -> tuple[Path, Path]:
    """Build both in an environment of their own, and return the wheel and the source distribution."""
    run([sys.executable, "-m", "build", "--installer", "uv", "--outdir", folder, ROOT])
    [wheel], [sdist] = [*folder.glob("*.whl")], [*folder.glob("*.tar.gz")]
    return wheel, sdist


def check_metadata(wheel: Path, sdist: Path) -> str:
    """Have twine read the metadata as a package index does; a warning is an error."""
    run([sys.executable, "-m", "twine", "check", "--strict", wheel, sdist])
    return f"{wheel.name}, {sdist.name}"


def check_wheel(wheel: Path) -> str:
    """Compare the files of a wheel with those of the repository."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    _raise(wheel_problems(names, tracked()))
    return f"{len(names)} files"


def check_sdist(sdist: Path) -> str:
    """Compare the files of a source distribution with those of the repository."""
    with tarfile.open(sdist) as archive:
        names = [PurePosixPath(*PurePosixPath(name).parts[1:]).as_posix() for name in archive.getnames()]
    _raise(sdist_problems(names, tracked()))
    return f"{len(names)} files"


def wheel_problems(packed: Iterable[str], files: Iterable[str]) -> list[str]:
    """Return in words what a wheel has too much and too little, given the files of the repository."""
    packed = {*packed}
    sources = {file.removeprefix("src/") for file in files if file.startswith("src/")}
    metadata = {name for name in packed if ".dist-info/" in name}
    problems = [f"{name} is in no source" for name in sorted(packed - sources - metadata)]
    problems += [f"{name} is missing" for name in sorted(sources - packed)]
    outside = sorted(name for name in packed - metadata if not name.startswith(PACKAGE) and name != PLUGIN)
    problems += [f"{name} is outside of the package" for name in outside]
    needed = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    problems += [f"{end} is missing" for end in needed if not any(name.endswith(f"/{end}") for name in metadata)]
    return problems


def sdist_problems(packed: Iterable[str], files: Iterable[str]) -> list[str]:
    """Return in words what a source distribution has too much and too little, given the files of the repository."""
    packed = {*packed}
    wanted = {file for file in files if not file.startswith(LEFT_OUT)}
    problems = [f"{name} is in no source" for name in sorted(packed - wanted - MADE_BY_THE_BACKEND)]
    return problems + [f"{name} is missing" for name in sorted(wanted - packed - MADE_BY_THE_BACKEND)]


def tracked() -> list[str]:
    """Return the files of the repository.

    Raises:
        FailedError: there are files that are not committed: what is built would hold them.
    """
    listed = ["git", "-C", str(ROOT), "ls-files", "-z"]
    files = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    others = subprocess.run([*listed, "--others", "--exclude-standard"], capture_output=True, text=True, check=True)
    if others.stdout:
        raise FailedError(f"these files are not committed: {', '.join(others.stdout.strip(chr(0)).split(chr(0)))}")
    return [file for file in files if file and (ROOT / file).exists()]


def _raise(problems: list[str]) -> None:
    if problems:
        raise FailedError("\n".join(problems))
