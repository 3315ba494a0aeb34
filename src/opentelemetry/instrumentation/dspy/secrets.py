"""Secrets in names and texts: keys, tokens, passwords and cookies, by what they are called and by their shape."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["SECRET", "is_secret_name", "is_secret_parameter", "without_secrets"]

SECRET = "[secret]"

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

_ALWAYS = frozenset(
    [
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "jwt",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "pwd",
        "secret",
        "secrets",
    ]
)
"""Words that name a secret wherever they stand in a name."""

_AT_THE_END = frozenset({"auth", "token"})
"""Words that name one as the last of a name: ``X-Auth-Token``, but not ``token_count`` and ``auth_type``."""

_KEY_OF = frozenset(
    [
        "access",
        "account",
        "anon",
        "api",
        "app",
        "auth",
        "client",
        "cloud",
        "consumer",
        "deploy",
        "encryption",
        "hmac",
        "license",
        "master",
        "openai",
        "private",
        "role",
        "secret",
        "service",
        "session",
        "shared",
        "signing",
        "ssh",
        "storage",
        "subscription",
    ]
)
"""Words before ``key`` that make a secret of it: an ``api_key`` is one, a ``primary_key`` is not."""

_TOKENS_OF = frozenset({"access", "api", "auth", "bearer", "id", "refresh", "session"})

_NO_SECRETS = frozenset(
    [
        "bos",
        "cls",
        "continuation",
        "eos",
        "first",
        "last",
        "mask",
        "n",
        "next",
        "num",
        "page",
        "pad",
        "sep",
        "special",
        "start",
        "stop",
        "sync",
        "unk",
    ]
)
"""Words before ``token`` that make a word of a text, or a place in a list, of it."""

_RUN_TOGETHER = re.compile(
    "(api|access|auth|client|private|refresh|secret|session)(key|secret|token)|passw(or)?d|passphrase"
)

_IN_A_QUERY = frozenset({"code", "key", "sig", "signature"})
"""Short names that are secrets as parameters of a URL, beside those that are everywhere."""

_SHAPES = re.compile(
    r"""
      -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    | \b(?:sk|pk|rk)[-_](?:(?:ant|or|proj|live|test|lf|svcacct)[-_])?[A-Za-z0-9][\w-]{7,}
    | \b(?:AKIA|ASIA)[0-9A-Z]{12,}
    | \b(?:gh[oprsu]_|github_pat_|glpat-|gsk_|hf_|nvapi-|r8_|tvly-|pplx-|xai-|npm_|pypi-|dapi)[\w-]{16,}
    | \bxox[abeoprs]-[\w-]{8,}
    | \bAIza[\w-]{30,}
    | \beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?
    | (?<=://)[^/\s@'"<>]+(?=@)
    | (?<![\w.%+~@-])[\w.%+~-]+:[^\s/@:'"<>]+(?=@[\w\[])
    """,
    re.VERBOSE | re.DOTALL,
)

_SCHEMES = re.compile(r"\b(bearer|basic)(\s+)[\w.~+/=-]{6,}", re.IGNORECASE)

_COOKIES = re.compile(r"""\b((?:set-)?cookie2?)(["']?\s*[:=,]\s*["']?)[^\n"']+""", re.IGNORECASE)

_QUERY = re.compile(r"([?&;])([\w.-]{1,64})=([^&\s'\"<>#]+)")

_NAMED = re.compile(
    r"""(?<![\w-])(?P<name>[A-Za-z][\w-]{1,127})"""
    r"""(?=(?P<between>\\?["']?\s*[=:,]\s*\\?["']?)(?P<value>[^\s"'\\,;(){}\[\]<>&]+))"""
)
"""A name, before a value that may be a name itself: ``connect("host", password="…")``."""


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether what stands under a name is a secret, in whatever style the name is written."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    if not _ALWAYS.isdisjoint(words) or _RUN_TOGETHER.search("".join(words)):
        return not (words[-1] in ("count", "id", "length", "name", "type") and len(words) > 1)
    before = words[-2] if len(words) > 1 else ""
    if words[-1] in _AT_THE_END:
        return before not in _NO_SECRETS
    if words[-1] in ("key", "keys"):
        return before in _KEY_OF
    return words[-1] == "tokens" and before in _TOKENS_OF


def is_secret_parameter(name: str) -> bool:
    """Return whether what stands under a name in the query of a URL is a secret."""
    return name.lower() in _IN_A_QUERY or is_secret_name(name)


def without_secrets(text: str) -> str:
    """Return a text without what is called a secret in it or has the shape of one."""
    text = _SHAPES.sub(SECRET, text)
    text = _SCHEMES.sub(rf"\1\2{SECRET}", text)
    text = _COOKIES.sub(rf"\1\2{SECRET}", text)
    text = _QUERY.sub(_without_parameter, text)
    pieces, done = [], 0
    for found in _NAMED.finditer(text):
        start, end = found.span("value")
        if start >= done and _names_a_secret(found):
            pieces += [text[done:start], SECRET]
            done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def _without_parameter(found: re.Match[str]) -> str:
    mark, name, value = found.groups()
    return f"{mark}{name}={SECRET if is_secret_parameter(name) else value}"


def _names_a_secret(found: re.Match[str]) -> bool:
    name, between, value = found.group("name", "between", "value")
    is_written_out = "=" in between or '"' in between or "'" in between or len(value) >= 16
    # In prose a colon and a word follow many a word: "a token: the smallest part of a text".
    if value in ("None", "null", "True", "False", "[secret") or not is_secret_name(name):
        return False
    if not is_written_out and not any(character.isdigit() for character in value):
        return False
    return value.lower() not in ("bearer", "basic")
