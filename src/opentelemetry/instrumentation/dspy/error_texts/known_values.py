"""Texts that a call was given or answered with, and the credentials in settings and environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ..reading import is_kind, is_mapping
from ..secrets import SECRET, is_secret_name, is_secret_parameter
from .common_words import PROTOCOL_VALUES, PROTOCOL_WORDS
from .quotations import RUN, without_runs

__all__ = ["credentials_in", "environment_credentials", "texts_in", "without_credentials"]

MAX_TEXTS = 400
MAX_DEPTH = 6

MAX_VALUES = 20_000
"""Values that are looked at for texts: most of them may be none, and a few lists that hold each other any number."""

MAX_SETTINGS = 2_000
"""Settings that are looked at for credentials, the outermost first."""

MAX_ADDRESS = 4_096
"""Characters of a text that may be a URL."""

_WORKING_DIRECTORIES = ("OLDPWD", "PWD")
"""Variables of a shell that are called as passwords are; the paths of the program's files begin with their values."""


def texts_in(value: Any) -> list[str]:
    """Return the texts in a value, as far as a failure warrants to look for them."""
    search = _Search()
    _collect(value, search, MAX_DEPTH)
    return search.found


@dataclass(slots=True)
class _Search:
    """One search for texts."""

    found: list[str] = field(default_factory=list)
    left: int = MAX_VALUES


def _collect(value: Any, search: _Search, depth: int) -> None:
    search.left -= 1
    found = search.found
    if len(found) >= MAX_TEXTS or search.left < 0 or depth == 0 or value is None or is_kind(value, bool):
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
            if search.left <= 0:
                return
            _collect(item, search, depth - 1)
    except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
        return


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [
            part
            for name, inner in islice(value.items(), MAX_TEXTS)
            for part in (name, inner)
            if not _is_of_protocol(part, name)
        ]
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    store = getattr(value, "_store", None)
    if isinstance(store, dict):
        return [*store.values()]
    inner = getattr(value, "__dict__", None)
    return [*inner.values()] if isinstance(inner, dict) and not isinstance(value, type) else ()


def _is_of_protocol(part: Any, name: Any) -> bool:
    """Return whether a key or a value of a mapping is the protocol's own word: it says nothing of what it is about."""
    if not is_kind(name, str):
        return False
    if part is name:
        return name in PROTOCOL_WORDS
    return name in ("role", "type") and is_kind(part, str) and part in PROTOCOL_VALUES


def credentials_in(settings: Any) -> list[str]:
    """Return the secrets in the settings of a client, by their names, in its addresses, and all of its headers."""
    found: list[str] = []
    waiting = [settings] if is_mapping(settings) else []
    left = MAX_SETTINGS
    for mapping in waiting:  # which grows meanwhile: those inside come after all that are further out
        for name, value in _first_entries(mapping, left):
            left -= 1
            if is_kind(name, str) and (is_secret_name(name) or "header" in name.lower()):
                found += texts_in(list(islice(value.values(), MAX_TEXTS)) if is_mapping(value) else value)
            elif is_mapping(value):
                waiting.append(value)
            elif is_kind(value, str):
                found += _credentials_of_address(value)
        if left <= 0:
            break
    return found


def _first_entries(mapping: Any, number: int) -> list[tuple[Any, Any]]:
    """Return the first entries of a mapping; a thread of the application may change it meanwhile."""
    try:
        return [*islice(mapping.items(), number)]
    except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
        return []


def environment_credentials() -> list[str]:
    """Return the values of environment variables that are secrets by their names, and those in addresses."""
    return [
        credential
        for name, value in os.environ.items()
        if name not in _WORKING_DIRECTORIES
        for credential in ([value] if is_secret_name(name) else _credentials_of_address(value))
    ]


def _credentials_of_address(address: str) -> list[str]:
    """Return what a URL has before its host and in the parameters that are called keys, as it is written and decoded.

    A client may tell the host of a failed connection without the scheme by which it would be known for a URL.
    """
    if "://" not in address or len(address) > MAX_ADDRESS:
        return []
    try:
        parts = urlsplit(address)
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        parameters = [value for name, value in parse_qsl(parts.query) if is_secret_parameter(name)]
        raw = [pair.partition("=")[2] for pair in parts.query.split("&") if is_secret_parameter(pair.partition("=")[0])]
    except ValueError:
        return []
    secret = password or user
    return [text for text in (secret, unquote(secret), *parameters, *raw) if text]


def without_credentials(text: str, credentials: Iterable[str]) -> str:
    """Return a text without the credentials, also where only the beginning or the end of a long one stands in it."""
    for credential in sorted(set(credentials), key=len, reverse=True):
        if len(credential) >= 4:
            text = text.replace(credential, SECRET)
        if len(credential) >= 2 * RUN:
            text = without_runs(text, {credential[:RUN], credential[-RUN:]})
    return text
