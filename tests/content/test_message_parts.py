"""Every kind of block that a message may hold as a part of the GenAI conventions: nothing lost, nothing malformed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from dspy import lm15
from genai_messages import faults_of
from message_blocks import BASE64, KNOWN, UNKNOWN, link, text

from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.content import Content
from opentelemetry.instrumentation.dspy.content.messages import input_messages

if TYPE_CHECKING:
    from pathlib import Path


def content(redact: Any = None) -> Content:
    return Content(Options(content_max_length=1000, redact=redact), captured=True)


@pytest.mark.parametrize(("block", "expected"), [*KNOWN, *UNKNOWN])
def test_a_block_is_recorded_with_all_that_it_says(block: Any, expected: list[dict[str, Any]]) -> None:
    [message] = [asdict(message) for message in input_messages(content(), None, [{"role": "user", "content": [block]}])]
    assert message["parts"] == expected
    assert faults_of([message], replies=False) == []
    assert BASE64 not in str(message)


def test_a_file_on_this_machine_is_named_and_not_read(tmp_path: Path) -> None:
    part = lm15.ImagePart(path=tmp_path / "absent.png")
    [message] = [asdict(message) for message in input_messages(content(), None, [{"role": "user", "content": (part,)}])]
    assert message["parts"] == [link("image", str(tmp_path / "absent.png"), "image/png")]


def test_what_only_the_provider_can_read_is_a_reference() -> None:
    blocks = [{"type": "redacted_thinking", "data": "opaque"}, {"type": "compaction", "encrypted_content": "opaque"}]
    [message] = [asdict(message) for message in input_messages(content(), None, [{"role": "user", "content": blocks}])]
    assert "opaque" not in str(message)
    assert str(message).count("sha256:") == 2


def test_a_block_that_fails_when_it_is_looked_at_costs_its_message_alone() -> None:
    class Hostile(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            raise LookupError("never")

    messages = [{"role": "user", "content": [Hostile(type="text")]}, {"role": "user", "content": "hello"}]
    first, second = [asdict(message) for message in input_messages(content(), None, messages)]
    assert first["parts"] == [text("… [dict]")]
    assert second["parts"] == [text("hello")]


def test_every_text_of_a_block_passes_the_redaction() -> None:
    blocks = [block for block, _ in KNOWN]
    hidden = content(lambda value, kind: "*")
    [message] = [asdict(message) for message in input_messages(hidden, None, [{"role": "user", "content": blocks}])]
    written = str(message)
    for said in (
        "hello",
        "no",
        "hm",
        "rivers",
        "The Nile",
        "plan.pdf",
        "6*7",
        "abc",
        "a red cat",
        "https://",
        "c1",
        "add",
    ):
        assert f"'{said}" not in written
