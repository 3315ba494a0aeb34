"""Content: redacted first, bounded in size, media by hash, credentials never."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import dspy
import pytest

from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.content import Content

if TYPE_CHECKING:
    from opentelemetry.instrumentation.dspy.config import Redact

PIXELS = b"\x89PNG some pixels"
IMAGE = f"data:image/png;base64,{base64.b64encode(PIXELS).decode()}"
REFERENCE = f"sha256:{hashlib.sha256(PIXELS).hexdigest()}?bytes={len(PIXELS)}&type=image/png"


def content(max_length: int = 100, redact: Redact | None = None) -> Content:
    return Content(Options(content_max_length=max_length, redact=redact), captured=True)


def recorded(value: Any) -> Any:
    return content().value(value, "input")


@pytest.mark.parametrize(("length", "expected"), [(10, "x" * 10), (11, "x" * 10 + "… [1 more characters]"), (0, "")])
def test_a_text_is_cut_at_the_maximum_and_says_so(length: int, expected: str) -> None:
    assert content(10).text("x" * length, "input") == expected


def test_a_text_is_redacted_before_it_is_cut() -> None:
    seen: list[tuple[str, str]] = []

    def redact(value: str, kind: str) -> str:
        seen.append((value, kind))
        return value.replace("4111 1111", "****")

    assert content(8, redact).text("card 4111 1111 please", "input") == "card ***… [8 more characters]"
    assert seen == [("card 4111 1111 please", "input")]


def test_the_redaction_is_told_what_each_text_is() -> None:
    seen: list[tuple[str, str]] = []
    hidden = content(redact=lambda value, kind: seen.append((value, kind)) or "*")  # type: ignore[func-returns-value]
    assert hidden.named_values({"name": ["Ann", b"bytes", 7, None, {"Bob": "Cid"}]}, "tool") == {
        "name": ["*", f"sha256:{hashlib.sha256(b'bytes').hexdigest()}?bytes=5", 7, None, {"*": "*"}]
    }
    assert hidden.text("text", "system") == "*"
    assert seen == [("Ann", "tool"), ("Bob", "tool"), ("Cid", "tool"), ("text", "system")]


def test_the_keys_of_a_mapping_are_redacted_too_and_none_is_lost() -> None:
    hidden = content(redact=lambda value, kind: "*")
    assert hidden.value({"ann@example.com": "Ann", "name": "Bob"}, "input") == {"*": "*", "* (2)": "*"}


@pytest.mark.complaints
def test_a_redaction_that_fails_drops_the_text_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def redact(value: str, kind: str) -> str:
        raise LookupError(value)

    hidden = content(redact=redact)
    dropped = "[content dropped: the redaction function failed]"
    assert hidden.value(["secret one", {"key": "secret two"}], "input") == [dropped, {dropped: dropped}]
    [record] = caplog.records
    assert record.getMessage() == (
        "The redact function failed (it raised LookupError); the content that it was given is not recorded. It takes a "
        "text and its kind, and returns the text to record. Further failures of it are not logged."
    )
    assert record.levelname == "WARNING"
    # What was to be redacted is in the exception's text, and would be in its stack.
    assert record.exc_info is None


def test_a_redaction_that_returns_something_else_than_text_makes_text_of_it() -> None:
    assert content(redact=lambda value, kind: 7).text("seven", "input") == "7"  # type: ignore[arg-type,return-value]


def test_a_data_url_is_replaced_by_type_size_and_hash() -> None:
    assert content(1000).text(IMAGE, "input") == REFERENCE
    assert content(1000).text(f"see {IMAGE} and {IMAGE}.", "input") == f"see {REFERENCE} and {REFERENCE}."
    assert content(1000).text("data:text/plain;charset=utf-8,hello%20you", "input") == (
        f"sha256:{hashlib.sha256(b'hello%20you').hexdigest()}?bytes=11&type=text/plain"
    )
    assert content(1000).text(f"data:;base64,{base64.b64encode(b'x').decode()}", "input") == (
        f"sha256:{hashlib.sha256(b'x').hexdigest()}?bytes=1"
    )


@pytest.mark.parametrize("text", ["data: 5, 6 and 7", "the data:base64,x", "data:", "metadata:a/b"])
def test_a_text_that_merely_speaks_of_data_stays_as_it_is(text: str) -> None:
    assert content().text(text, "input") == text


def test_bytes_are_replaced_by_size_and_hash() -> None:
    reference = f"sha256:{hashlib.sha256(b'abc').hexdigest()}?bytes=3"
    assert recorded([b"abc", bytearray(b"abc"), memoryview(b"abc")]) == [reference] * 3


@pytest.mark.parametrize(
    "value",
    [
        {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PIXELS).decode()},
        {"mime_type": "image/png", "data": base64.b64encode(PIXELS).decode()},
    ],
)
def test_media_in_the_blocks_of_a_provider_are_replaced_too(value: dict[str, Any]) -> None:
    assert content(1000).value(value, "input")["data"] == REFERENCE


def test_the_media_of_dspy_are_replaced() -> None:
    audio = dspy.Audio(data=base64.b64encode(PIXELS).decode(), audio_format="wav")
    assert content(1000).value([dspy.Image(url=IMAGE), audio], "input") == [
        {"url": REFERENCE},
        {"data": REFERENCE.replace("image/png", "audio/wav"), "audio_format": "wav"},
    ]


def test_data_that_are_no_media_stay() -> None:
    assert recorded({"format": "csv", "data": "a,b"}) == {"format": "csv", "data": "a,b"}
    assert recorded({"media_type": "text/plain", "data": "abcd"}) == {"media_type": "text/plain", "data": "abcd"}


def test_credentials_in_a_value_are_never_recorded() -> None:
    value = {
        "config": {"api_key": "sk-1", "temperature": 0.5, "extra_headers": {"Authorization": "Bearer sk-2"}},
        "X-Api-Key": "sk-3",
        "azure_ad_token": b"sk-4",
        "password": {"type": "string"},
        "max_tokens": 5,
    }
    assert recorded(value) == {
        "config": {"api_key": "[secret]", "temperature": 0.5, "extra_headers": {"Authorization": "[secret]"}},
        "X-Api-Key": "[secret]",
        "azure_ad_token": "[secret]",
        "password": {"type": "string"},
        "max_tokens": 5,
    }
