"""The licences of what an installation brings with it: their texts, and whether all of them are permissive."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from .steps import FailedError, run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["collect", "problems_of"]

PERMISSIVE = re.compile(
    r"Apache|MIT|BSD|ISC|Python Software Foundation|\bPSF|MPL|Mozilla|Unlicense|Zlib|CC0|CNRI|0BSD", re.IGNORECASE
)
"""Licences that ask nothing of a program which uses what they are of, but that they are told."""


def collect(folder: Path, texts: Path) -> str:
    """Write the licence text of each distribution of an environment into a file, and judge the licences.

    Raises:
        FailedError: a licence is not permissive, or a distribution does not tell its licence.
    """
    command = [sys.executable, "-m", "piplicenses", "--python", str(folder / "bin" / "python")]
    told = json.loads(
        run([*command, "--format", "json", "--from", "mixed", "--with-license-file", "--no-license-path"])
    )
    texts.mkdir(parents=True, exist_ok=True)
    without = []
    for distribution in told:
        text = distribution["LicenseText"]
        if text == "UNKNOWN":
            without.append(distribution["Name"])
            continue
        (texts / f"{distribution['Name']}-{distribution['Version']}.txt").write_text(text, encoding="utf-8")
    problems = problems_of(told)
    if problems:
        raise FailedError("\n".join(problems))
    found = f"{len(told)} distributions with permissive licences, {len(told) - len(without)} texts in {texts.name}"
    return f"{found}\nwithout a text of their own: {', '.join(without)}" if without else found


def problems_of(told: list[dict[str, Any]]) -> list[str]:
    """Return in words which distributions have a licence that is not known to be permissive."""
    return [
        f"{distribution['Name']} {distribution['Version']}: {distribution['License']}"
        for distribution in told
        if not PERMISSIVE.search(distribution["License"])
    ]
