"""The credentials in settings and environment, which no text may hold."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ..reading import is_kind, is_mapping
from ..secrets import SECRET, is_secret_name, is_secret_parameter
from .quotations import RUN, without_runs
from .value_texts import texts_in

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["credentials_in", "environment_credentials", "without_credentials"]

MAX_SETTINGS = 2_000
"""Settings that are looked at for credentials, the outermost first."""

MAX_ADDRESS = 4_096
"""Characters of a text that may be a URL."""

_WORKING_DIRECTORIES = ("OLDPWD", "PWD")
"""Variables of a shell that are called as passwords are; the paths of the program's files begin with their values."""


def credentials_in(settings: Any) -> list[str]:
    """Return the secrets in the settings of a client, by their names, in its addresses, and all of its headers."""
    found: list[str] = []
    waiting = [settings] if is_mapping(settings) else []
    left = MAX_SETTINGS
    for mapping in waiting:  # which grows meanwhile: those inside come after all that are further out
        for name, value in _first_entries(mapping, left):
            left -= 1
            if is_kind(name, str) and (is_secret_name(name) or "header" in name.lower()):
                found += texts_in(value.values() if is_mapping(value) else [value]) or ()
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
        # What was encoded as a whole has no host that anybody could find, and a client's error tells it.
        server = parts.netloc if "@" in parts.netloc else unquote(parts.netloc)
        user, _, password = server.rpartition("@")[0].partition(":")
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
