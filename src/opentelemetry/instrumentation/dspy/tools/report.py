"""What the doctor prints: plain text for people, one JSON object for scripts. Secrets are in neither."""

from __future__ import annotations

import json
import os
import re
import textwrap
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ..secrets import SECRET, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .findings import Finding, Section

__all__ = ["FORMAT", "as_json", "as_text", "exit_code"]

FORMAT = 1
"""The form of the JSON object: keys are added without another number, and none is taken away or changes its type."""

_WIDTH = 100
_MARK_OF_CHANGE = "  CHANGE  "
_MARKS = {"ok": "ok    ", "note": "note  ", "change": "CHANGE"}


def exit_code(sections: Sequence[Section]) -> int:
    """Return 0 where nothing is to change, 1 where something is."""
    return int(any(finding.status == "change" for section in sections for finding in section.findings))


def as_json(sections: Sequence[Section]) -> str:
    """Return all findings as JSON."""
    document = {
        "format": FORMAT,
        "ok": exit_code(sections) == 0,
        "sections": [
            {"key": section.key, "findings": [_as_object(finding) for finding in section.findings]}
            for section in sections
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _as_object(finding: Finding) -> dict[str, Any]:
    return {
        "key": finding.key,
        "status": finding.status,
        "text": _hide(f"{finding.subject}: {finding.text}" if finding.subject else finding.text),
        "remedy": None if finding.remedy is None else _hide(finding.remedy),
        "value": _without_secrets(finding.value),
    }


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return _hide(value)
    if isinstance(value, dict):
        return {name: _without_secrets(part) for name, part in value.items()}
    return [_without_secrets(part) for part in value] if isinstance(value, (list, tuple)) else value


def as_text(sections: Sequence[Section]) -> str:
    """Return all findings as lines, and what they come to."""
    lines = [line for section in sections for line in _lines_of(section)]
    changes = sum(line.startswith(_MARK_OF_CHANGE) for line in lines)
    verdict = "ok: telemetry of DSPy calls arrives." if not changes else f"{changes} to change: see CHANGE above."
    return "\n".join([*lines, verdict, ""])


def _hide(text: str) -> str:
    """Return a text without secrets: what looks like one, and what the environment says that headers hold."""
    for name, value in os.environ.items():
        if name.startswith("OTEL_") and name.endswith("_HEADERS"):
            for secret in _secrets_in(value):
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", SECRET, text)
    return without_secrets(text)


def _secrets_in(headers: str) -> Iterator[str]:
    """Yield what may not be shown of headers, as a whole and in parts; their names may, where there is a value."""
    for written in dict.fromkeys((headers, unquote(headers))):
        yield from filter(None, [written.strip()])
        for entry in written.split(","):
            name, equals, value = entry.partition("=")
            secret = (value if equals else name).strip()
            yield from (part for part in (entry.strip(), secret) if len(part) >= _SHORTEST)
            yield from (word for word in secret.split() if len(word) >= _SHORTEST_WORD)


_SHORTEST, _SHORTEST_WORD = 4, 8
"""A shorter value, and a shorter word of one, is one of many: to hide it would hide what stands elsewhere."""


def _lines_of(section: Section) -> Iterator[str]:
    yield section.title
    said: dict[object, list[Finding]] = {}
    for finding in section.findings:
        # What is true of traces, metrics and log records alike is said once.
        same = (finding.status, finding.text, finding.remedy) if finding.subject else id(finding)
        said.setdefault(same, []).append(finding)
    for findings in said.values():
        finding = findings[0]
        subject = ", ".join(found.subject for found in findings)
        text = f"{subject}: {finding.text}" if subject else finding.text
        yield from _wrapped(_hide(text), f"  {_MARKS[finding.status]}  ", " " * 10)
        if finding.remedy is not None:
            yield from _wrapped(_hide(finding.remedy), " " * 10 + "-> ", " " * 13)
    yield ""


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
