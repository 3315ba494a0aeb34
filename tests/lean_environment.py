"""Environments of their own that lack a package: real ones, made of links to what the tests' own has."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

__all__ = ["environment_without"]


def environment_without(folder: Path, *left_out: str) -> Path:
    """Make an environment without these distributions and return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = Path(sysconfig.get_path("purelib"))
    inside = folder / packages.relative_to(sys.prefix)
    missing = {
        packages / file for name in left_out for file in distribution(name).files or () if ".." not in file.parts
    }
    for entry in packages.iterdir():
        _link(entry, inside / entry.name, missing)
    return folder / Path(sys.executable).relative_to(sys.prefix)


def _link(entry: Path, to: Path, missing: set[Path]) -> None:
    if entry in missing:
        return
    if not any(entry in file.parents for file in missing):
        to.symlink_to(entry)
        return
    to.mkdir(exist_ok=True)
    for inner in entry.iterdir():
        if "__pycache__" not in inner.parts:
            _link(inner, to / inner.name, missing)
    if not any(to.iterdir()):
        to.rmdir()
