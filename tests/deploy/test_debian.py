"""Where the stores cannot be had, the check of the stack says why, and does not pass in silence."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import debian
import pytest
from compose import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_machine_without_the_tools_is_told_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "FOLDER", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(debian.UnavailableError, match="this machine has no apt-get and no dpkg-deb"):
        debian.unpacked()


def test_a_command_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    script = tmp_path / "apt-get"
    script.write_text("#!/bin/sh\necho 'E: no network' >&2\nexit 100\n")
    script.chmod(0o755)
    with pytest.raises(debian.UnavailableError, match="apt-get: E: no network"):
        debian._run([str(script), "update"], tmp_path)


def test_the_check_is_skipped_with_the_reason_in_capitals(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rs",
        "-p",
        "no:cacheprovider",
        "tests/stack/test_rules.py",
        "-k",
        "reads",
    ]
    # The tools are not found, and so is nothing that was fetched before: the folder is another.
    code = "import debian, pathlib; debian.FOLDER = pathlib.Path('nowhere'); debian.KEYS = pathlib.Path('nowhere')"
    plugin = tmp_path / "without_packages.py"
    plugin.write_text(f"import sys\nsys.path.insert(0, {str(ROOT / 'tests' / 'stack')!r})\n{code}\n")
    ended = subprocess.run(
        [*command, "-p", "without_packages"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "THE STACK IS NOT CHECKED: " in ended.stdout
    assert "1 skipped" in ended.stdout
