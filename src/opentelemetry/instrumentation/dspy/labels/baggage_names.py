"""Which entries of W3C Baggage become attributes: those that were named, each exactly."""

from __future__ import annotations

import re

from ..secrets import is_secret_name
from .names import MAX_NAMES, is_set_by_us, problem_in_stores

__all__ = ["baggage_names_of"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
"""A name of an entry (W3C Baggage, ``key``; RFC 7230, ``token``)."""

_TAKES = "it takes names of baggage entries, such as tenant.id, with commas between them"


def baggage_names_of(text: str, *, on_metrics: bool = False) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Read names with commas between them, and return with them those that are none, each with what is right.

    Nothing stands for all entries: who calls a service chooses what they are. No name of ours, none that is called like
    a secret, and on metrics none of a store's.
    """
    names: dict[str, None] = {}
    wrong: dict[str, str] = {}
    for entry in text.split(","):
        name = entry.strip()
        if not name or name in names:
            continue
        problem = _problem_with(name, on_metrics)
        if problem is not None:
            wrong[name] = problem
        elif len(names) >= MAX_NAMES:
            wrong[name] = f"it takes {MAX_NAMES} names at most, and this is one more"
        else:
            names[name] = None
    return (*names,), [*wrong.items()]


def _problem_with(name: str, on_metrics: bool) -> str | None:
    if "*" in name:
        return f"{_TAKES}, and none that stands for several, since whoever calls chooses what is in the baggage"
    if not _TOKEN.fullmatch(name):
        return _TAKES
    if is_set_by_us(name):
        return f"{_TAKES}, and none that the instrumentation sets itself"
    if is_secret_name(name):
        return f"{_TAKES}, and none that is called like a secret"
    problem = problem_in_stores(name) if on_metrics else None
    return None if problem is None else f"{_TAKES}, and none {problem}"
