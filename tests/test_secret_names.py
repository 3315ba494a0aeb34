"""Secrets are known by the words in their names, in every style, and by their shapes."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest

from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.content import Content
from opentelemetry.instrumentation.dspy.secrets import is_secret_name, without_secrets

SECRETS = (
    "OPENAI_API_KEY",
    "token",
    "DB_PASSWORD",
    "clientSecret",
    "X-Auth-Token",
    "Set-Cookie",
    "api_keys",
    "apikey",
    "Authorization",
    "AWS_SECRET_ACCESS_KEY",
    "azure_ad_token",
    "x-goog-api-key",
    "accessToken",
    "HF_TOKEN",
    "privateKey",
    "passphrase",
    "PGPASSWORD",
    "Proxy-Authorization",
    "session_token",
    "basic_auth",
)
NO_SECRETS = (
    "max_tokens",
    "tokens",
    "token_count",
    "token_usage",
    "prompt_tokens",
    "eos_token",
    "next_page_token",
    "monkey",
    "keyboard",
    "key_points",
    "primary_key",
    "author",
    "authority",
    "secretary",
    "auth_type",
    "question",
    "key",
    "cache_key",
    "password_length",
)


@pytest.mark.parametrize("name", SECRETS)
def test_a_name_that_says_so_is_one_of_a_secret(name: str) -> None:
    assert is_secret_name(name)
    assert content().value({name: "hunter2"}, "tool") == {name: "[secret]"}
    assert content().value([(name, "hunter2")], "tool") == [[name, "[secret]"]]


@pytest.mark.parametrize("name", NO_SECRETS)
def test_a_name_that_only_looks_like_it_is_none(name: str) -> None:
    assert not is_secret_name(name)
    assert content().value({name: "hunter2"}, "tool") == {name: "hunter2"}


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-Zk3kd82jsd92kd",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "Authorization: Bearer 9a8b7c6d5e4f",
        "Cookie: session=9a8b7c6d; theme=dark",
        "https://someone:9a8b7c@db.example/x",
        "postgres://someone:9a8b7c@db.example/x",
        "failed to connect to someone:9a8b7c@db.example:443",
        "https://example.org/search?q=lamp&api_key=9a8b7c",
        "https://example.org/search?key=9a8b7c",
        "Settings(model='gpt', api_key='9a8b7c')",
        'connect("db.example.com", password="9a8b7c")',
        'connect("db.example.com", "gpt", x=1, api_key="9a8b7c")',
        '{"clientSecret": "9a8b7c", "id": 1}',
        "DB_PASSWORD=9a8b7c",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.9a8b7c",
        "-----BEGIN RSA PRIVATE KEY-----\n9a8b7c\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_has_the_shape_of_a_secret_is_cut_out_of_a_text(text: str) -> None:
    cut = without_secrets(f"before {text} after")
    assert cut.startswith("before ")
    assert cut.endswith("after") or text.startswith("Cookie")
    assert "[secret]" in cut
    for piece in ("9a8b7c", "Zk3kd82", "IOSFODNN7", "16C7e42F"):
        assert piece not in cut


@pytest.mark.parametrize(
    "text",
    [
        "a token: the smallest part of a text",
        "the key to success is patience",
        "see https://example.org/a?page=2&size=10",
        "max_tokens=4096, temperature=0.7",
        "task-based learning and risk-averse people",
        "mail someone@example.org at 10:30",
    ],
)
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


@dataclass
class Settings:
    """A configuration that a program passes around as a value."""

    api_key: str
    model: str


class Opaque:
    """One that shows what it holds."""

    def __repr__(self) -> str:
        return "Opaque(access_token='9a8b7c', model='gpt')"


Login = namedtuple("Login", ["user", "password"])


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        (Settings("9a8b7c", "gpt"), {"api_key": "[secret]", "model": "gpt"}),
        (Login("ann", "9a8b7c"), {"user": "ann", "password": "[secret]"}),
        (Opaque(), "Opaque(access_token='[secret]', model='gpt')"),
        ({"tokens": {"auth_tokens": ["9a8b7c"]}}, {"tokens": {"auth_tokens": "[secret]"}}),
        ({"password": 9876}, {"password": "[secret]"}),
        ({"password": None, "token": ""}, {"password": None, "token": ""}),
        (
            {"headers": [["X-Api-Key", "9a8b7c"], ["Accept", "text"]]},
            {"headers": [["X-Api-Key", "[secret]"], ["Accept", "text"]]},
        ),
    ],
)
def test_a_secret_is_cut_whatever_holds_it(value: Any, recorded: Any) -> None:
    assert content().value(value, "input") == recorded


def content() -> Content:
    return Content(Options(), captured=True)
