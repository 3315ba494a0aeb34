"""Known vulnerabilities in what an installation brings with it, from the advisories that PyPI has of each release."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from .steps import FailedError, UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["audit", "findings_of"]

_NO_ANSWER = ("Could not connect", "ConnectionError", "Max retries", "ServiceError", "Name or service not known")
"""What pip-audit says where the service does not answer; its exit code is that of a vulnerability."""


def audit(folder: Path) -> str:
    """Ask for advisories of all that is installed in an environment but this library.

    Raises:
        FailedError: there is one.
        UnreachableError: PyPI's JSON API does not answer; or it does not know a distribution that is installed.
    """
    [packages] = folder.glob("lib/python*/site-packages")
    command = [sys.executable, "-m", "pip_audit", "--path", packages, "--format", "json", "--progress-spinner", "off"]
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if not ended.stdout.strip():
        said = ended.stderr.strip()
        if any(words in said for words in _NO_ANSWER):
            raise UnreachableError(f"PyPI's JSON API does not answer: {said.splitlines()[-1]}")
        raise FailedError(f"pip-audit ended with {ended.returncode}:\n{said}")
    return findings_of(json.loads(ended.stdout))


def findings_of(report: dict[str, Any]) -> str:
    """Say what a report of pip-audit holds, the way ``audit`` does."""
    audited, vulnerable, skipped = 0, [], []
    for dependency in report["dependencies"]:
        if dependency["name"] == "opentelemetry-instrumentation-dspy":
            continue
        if "skip_reason" in dependency:
            skipped.append(f"{dependency['name']}: {dependency['skip_reason']}")
            continue
        audited += 1
        for found in dependency["vulns"]:
            fixed = ", ".join(found["fix_versions"]) or "no release yet"
            vulnerable.append(f"{dependency['name']} {dependency['version']}: {found['id']}, fixed in {fixed}")
    if vulnerable:
        raise FailedError("\n".join(vulnerable))
    known = f"{audited} distributions without a known vulnerability"
    if skipped:
        raise UnreachableError(f"{known}; of {len(skipped)} the advisories could not be had, such as\n{skipped[0]}")
    if not audited:
        raise FailedError("nothing is installed")
    return known
