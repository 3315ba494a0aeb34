"""The notes of a release, from the changelog: ``python -m release notes``."""

from __future__ import annotations

import re

from .steps import ROOT, FailedError

__all__ = ["check", "notes", "version"]

CHANGELOG = ROOT / "CHANGELOG.md"
UPGRADING = ROOT / "docs" / "upgrading.md"
VERSION = ROOT / "src" / "opentelemetry" / "instrumentation" / "dspy" / "version.py"

HEADING = re.compile(r"^## \[?(?P<version>\d+\.\d+\.\d+[^\s\]]*)\]?(?: - (?P<date>.+))?$", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?!https?://)[^)]*\)")

UNRELEASED = "unreleased"
"""What stands for the date until there is one."""


def version() -> str:
    """Return the version in the source."""
    [found] = re.findall(r'__version__ = "([^"]+)"', VERSION.read_text(encoding="utf-8"))
    return str(found)


def notes(wanted: str, changelog: str) -> str:
    """Return the notes of one version: its section without links to files, which lead nowhere on their own.

    Raises:
        FailedError: the changelog has no such section, or an empty one.
    """
    headings = [*HEADING.finditer(changelog)]
    for place, heading in enumerate(headings):
        if heading["version"] == wanted:
            end = headings[place + 1].start() if place + 1 < len(headings) else len(changelog)
            section = changelog[heading.end() : end].strip()
            if not section:
                break
            return LINK.sub(r"\g<text>", section) + "\n"
    raise FailedError(f"CHANGELOG.md says nothing of {wanted}")


def check(*, tag: str | None = None) -> str:
    """Hold version, changelog and upgrade notes together.

    Raises:
        FailedError: one of them does not know the version; or the tag of a release is given, and is of another one or
            of one without a date.
    """
    known, changelog = version(), CHANGELOG.read_text(encoding="utf-8")
    lines = notes(known, changelog).splitlines()
    newest = HEADING.search(changelog)
    if newest is None or newest["version"] != known:
        raise FailedError(f"the newest section of CHANGELOG.md is not {known}")
    if f"## To {known}" not in UPGRADING.read_text(encoding="utf-8"):
        raise FailedError(f"docs/upgrading.md says nothing of {known}")
    if tag is not None and tag != f"v{known}":
        raise FailedError(f"the tag is {tag}, the version {known}")
    if tag is not None and not re.fullmatch(r"\d{4}-\d\d-\d\d", newest["date"] or ""):
        raise FailedError(f"CHANGELOG.md has no date for {known}")
    return f"{known}, {len(lines)} lines of notes"
