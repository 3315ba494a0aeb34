"""Real stores and Prometheus' own tools, from Debian's packages, unpacked beside the project and not installed.

They come from one release of Debian, whichever this machine runs: older ones have a VictoriaMetrics without OTLP.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

__all__ = ["PROGRAMS", "UnavailableError", "unpacked"]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".stack"
RELEASE = "trixie"
PROGRAMS = {
    "docker-compose": "usr/libexec/docker/cli-plugins/docker-compose",
    "prometheus": "usr/bin/prometheus",
    "promtool": "usr/bin/promtool",
    "victoria-metrics": "usr/bin/victoria-metrics",
}
"""Packages, and the program in each."""
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PATIENCE = 240
"""Seconds for each of apt's commands."""


class UnavailableError(Exception):
    """The packages cannot be had on this machine; the text says why."""


def unpacked() -> dict[str, Path]:
    """Return where each program lies, after fetching the packages if they are not there.

    Raises: UnavailableError.
    """
    programs = {name: FOLDER / "root" / path for name, path in PROGRAMS.items()}
    if not all(path.exists() for path in programs.values()):
        _fetch()
    return programs


def _fetch() -> None:
    missing = [command for command in ("apt-get", "dpkg-deb") if shutil.which(command) is None]
    if missing:
        raise UnavailableError(f"this machine has no {' and no '.join(missing)}")
    if not KEYS.exists():
        raise UnavailableError(f"this machine does not know the keys of Debian's archive ({KEYS})")
    downloads = FOLDER / "packages"
    for folder in ("lists/partial", "cache/archives/partial", "packages"):
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
    sources = FOLDER / "sources.list"
    sources.write_text(f"deb [signed-by={KEYS}] {_archive()} {RELEASE} main\n", encoding="utf-8")
    # Lists and caches of their own: nothing of the machine's package management is read or changed.
    options = [
        *("-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/dev/null"),
        *("-o", f"Dir::State::Lists={FOLDER}/lists", "-o", f"Dir::Cache={FOLDER}/cache"),
        *("-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User="),
    ]
    _run(["apt-get", "--quiet", *options, "update"], FOLDER)
    _run(["apt-get", "--quiet", *options, "download", *PROGRAMS], downloads)
    for package in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(FOLDER / "root")], FOLDER)


def _archive() -> str:
    """Return the address of Debian's archive that this machine uses."""
    listed = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], ROOT)
    for address in listed.splitlines():
        if re.search(r"/debian/?$", address):
            return address
    raise UnavailableError("apt knows no archive of Debian on this machine")


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise UnavailableError(f"{' '.join(command[:1])}: {done.stderr.strip()[-300:]}")
    return done.stdout
