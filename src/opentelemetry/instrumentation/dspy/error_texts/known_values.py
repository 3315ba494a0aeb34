"""Values that a call was given or answered with, cut out of a text wherever it quotes one, in part or in whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from ..reading import is_kind, is_mapping
from ..secrets import SECRET, is_secret_name

__all__ = ["credentials_in", "environment_credentials", "texts_in", "without_credentials", "without_values"]

RUN = 12
"""So many characters in a row that are also in a value are a quotation of it."""

SHORTEST = 3
"""A value of fewer characters is cut only where it stands in quotes."""

MAX_TEXTS = 400
MAX_CHARACTERS = 400_000
MAX_DEPTH = 6


def texts_in(value: Any) -> list[str]:
    """Return the texts in a value, as far as a failure warrants to look for them."""
    found: list[str] = []
    _collect(value, found, MAX_DEPTH)
    return found


def _collect(value: Any, found: list[str], depth: int) -> None:
    if len(found) >= MAX_TEXTS or depth == 0 or value is None or is_kind(value, bool):
        return
    # By its own type: a dead weak proxy raises when it is asked for its class, and what stands beside it must be found.
    if is_kind(value, str):
        found.append(value)
        return
    if is_kind(value, int, float):
        found.append(str(value))
        return
    try:
        for item in islice(_parts(value), MAX_TEXTS):
            _collect(item, found, depth - 1)
    except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
        return


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [part for pair in islice(value.items(), MAX_TEXTS) for part in pair]
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    store = getattr(value, "_store", None)
    if isinstance(store, dict):
        return [*store.values()]
    inner = getattr(value, "__dict__", None)
    return [*inner.values()] if isinstance(inner, dict) and not isinstance(value, type) else ()


def without_values(text: str, values: Iterable[str]) -> str:
    """Return a text without the values, and without what it quotes of them."""
    runs: set[str] = set()
    left = MAX_CHARACTERS
    for value in dict.fromkeys(values):
        if not value or left <= 0:
            continue
        for form in {value, repr(value)[1:-1], json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}:
            text = _without_form(text, form, runs, left)
            left -= len(form)
    return _without_runs(text, runs) if runs else text


def _without_form(text: str, form: str, runs: set[str], left: int) -> str:
    if len(form) >= RUN:
        if form in text:
            text = text.replace(form, f"[{len(form)} characters]")
        runs.update(form[start : start + RUN] for start in range(min(len(form), left) - RUN + 1))
        return text
    for quote in ("'", '"', "`"):
        text = text.replace(f"{quote}{form}{quote}", f"{quote}…{quote}")
    return _without_word(text, form) if len(form) >= SHORTEST else text


def _without_word(text: str, word: str) -> str:
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        before, after = text[start - 1 : start], text[end : end + 1]
        if not (before.isalnum() or after.isalnum() or before == "_" or after == "_"):
            text = f"{text[:start]}…{text[end:]}"
            end = start + 1
        start = text.find(word, end)
    return text


def _without_runs(text: str, runs: set[str]) -> str:
    """Cut what belongs to a run; a window of that length is looked up at each place."""
    kept: list[str] = []
    quoted_until = 0
    for place in range(len(text)):
        if text[place : place + RUN] in runs:
            quoted_until = place + RUN
        if place >= quoted_until:
            kept.append(text[place])
        elif not kept or kept[-1] != "…":
            kept.append("…")
    return "".join(kept)


def credentials_in(settings: Any) -> list[str]:
    """Return the values in the settings of a client that are secrets by their names, and all of its headers."""
    found: list[str] = []
    for name, value in [*settings.items()] if is_mapping(settings) else ():
        if isinstance(name, str) and (is_secret_name(name) or "header" in name.lower()):
            found += texts_in(list(value.values()) if is_mapping(value) else value)
        elif is_mapping(value):
            found += credentials_in(value)
    return found


def environment_credentials() -> list[str]:
    """Return the values of environment variables that are secrets by their names."""
    return [value for name, value in os.environ.items() if is_secret_name(name)]


def without_credentials(text: str, credentials: Iterable[str]) -> str:
    """Return a text without the credentials, also where only the beginning or the end of a long one stands in it."""
    for credential in sorted(set(credentials), key=len, reverse=True):
        if len(credential) >= 4:
            text = text.replace(credential, SECRET)
        if len(credential) >= 2 * RUN:
            text = _without_runs(text, {credential[:RUN], credential[-RUN:]})
    return text
