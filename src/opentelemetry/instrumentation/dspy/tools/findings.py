"""What the doctor found: one finding for each thing it looked at, in sections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["Finding", "Section", "Status"]

Status: TypeAlias = Literal["ok", "note", "change"]
"""``change`` is what keeps telemetry from arriving as it was asked for; a ``note`` is worth knowing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    key: str
    """What it is, for scripts; it stays what it is from one release to the next."""
    status: Status
    text: str
    remedy: str | None = None
    """What to do; always there where the status is ``change``."""
    value: Any = None
    """The bare fact, for scripts."""
    subject: str = ""
    """What the text is said of, where the same may be said of several."""


@dataclass(slots=True)
class Section:
    """The findings of one question."""

    key: str
    title: str
    findings: list[Finding] = field(default_factory=list)

    def ok(self, key: str, text: str, value: Any = None, *, subject: str = "") -> None:
        """Add what is right."""
        self.findings.append(Finding(key, "ok", text, None, value, subject))

    def note(self, key: str, text: str, value: Any = None, *, remedy: str | None = None, subject: str = "") -> None:
        """Add what is worth knowing, and what follows from something that is to change."""
        self.findings.append(Finding(key, "note", text, remedy, value, subject))

    def change(self, key: str, text: str, remedy: str, value: Any = None, *, subject: str = "") -> None:
        """Add what is to change."""
        self.findings.append(Finding(key, "change", text, remedy, value, subject))
