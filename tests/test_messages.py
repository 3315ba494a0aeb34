"""Messages of a language model call in the shapes of the GenAI conventions."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.content import Content
from opentelemetry.instrumentation.dspy.content.messages import input_messages, output_messages, tool_definitions

if TYPE_CHECKING:
    from opentelemetry.instrumentation.dspy.config import Redact

SOUND = b"RIFF some sound"
BASE64 = base64.b64encode(SOUND).decode()


def content(redact: Redact | None = None) -> Content:
    return Content(Options(content_max_length=1000, redact=redact), captured=True)


def reference(mime_type: str) -> str:
    return f"sha256:{hashlib.sha256(SOUND).hexdigest()}?bytes={len(SOUND)}" + (
        f"&type={mime_type}" if mime_type else ""
    )


def inputs(*messages: Any, prompt: Any = None, redact: Redact | None = None) -> list[dict[str, Any]]:
    return [asdict(message) for message in input_messages(content(redact), prompt, list(messages))]


def parts(*blocks: Any) -> list[dict[str, Any]]:
    [message] = inputs({"role": "user", "content": list(blocks)})
    found: list[dict[str, Any]] = message["parts"]
    return found


def text(value: str) -> dict[str, str]:
    return {"content": value, "type": "text"}


def test_a_prompt_is_a_message_of_the_user() -> None:
    assert inputs(prompt="Where?") == [{"role": "user", "parts": [text("Where?")], "name": None}]


def test_messages_keep_their_roles_and_order() -> None:
    roles = ["system", "user", "assistant", "user"]
    messages = inputs(*({"role": role, "content": f"{index}"} for index, role in enumerate(roles)))
    assert [(message["role"], message["parts"]) for message in messages] == [
        (role, [text(f"{index}")]) for index, role in enumerate(roles)
    ]


def test_the_redaction_is_told_who_speaks() -> None:
    seen: list[tuple[str, str]] = []

    def redact(value: str, kind: str) -> str:
        seen.append((value, kind))
        return value

    inputs(
        {"role": "system", "content": "rules"},
        {"role": "developer", "content": "more rules"},
        {"role": "user", "content": "question"},
        {"role": "assistant", "content": "answer"},
        {"role": "tool", "content": "result", "tool_call_id": "1"},
        redact=redact,
    )
    output_messages(content(redact), ["reply"], ["stop"])
    assert seen == [
        ("rules", "system"),
        ("more rules", "system"),
        ("question", "input"),
        ("answer", "output"),
        ("result", "input"),
        ("1", "input"),
        ("reply", "output"),
    ]


def test_tool_calls_and_their_results_are_parts_of_their_own() -> None:
    call = {"id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": [2]}'}}
    asked, answered = inputs(
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "3", "tool_call_id": "call-1"},
    )
    assert asked["parts"] == [{"arguments": {"a": 1, "b": [2]}, "name": "add", "id": "call-1", "type": "tool_call"}]
    assert answered["parts"] == [{"response": "3", "id": "call-1", "type": "tool_call_response"}]


@pytest.mark.parametrize(("arguments", "expected"), [("not json", "not json"), ({"a": 1}, {"a": 1}), (None, None)])
def test_arguments_of_a_tool_call_may_be_anything(arguments: Any, expected: Any) -> None:
    call = SimpleNamespace(id=None, function=SimpleNamespace(name="add", arguments=arguments))
    [message] = inputs({"role": "assistant", "tool_calls": [call]})
    assert message["parts"] == [{"arguments": expected, "name": "add", "id": None, "type": "tool_call"}]


def test_images_audio_and_files_are_references() -> None:
    assert parts(
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": "https://example.com/b.png"},
        {"type": "input_audio", "input_audio": {"data": BASE64, "format": "wav"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{BASE64}", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": BASE64}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ) == [
        text("look"),
        {"mime_type": "image/png", "modality": "image", "uri": reference("image/png"), "type": "uri"},
        {"mime_type": None, "modality": "image", "uri": "https://example.com/a.png", "type": "uri"},
        {"mime_type": None, "modality": "image", "uri": "https://example.com/b.png", "type": "uri"},
        {"mime_type": "audio/wav", "modality": "audio", "uri": reference("audio/wav"), "type": "uri"},
        {"mime_type": "application/pdf", "modality": "document", "uri": reference("application/pdf"), "type": "uri"},
        {"mime_type": None, "modality": "document", "uri": reference(""), "type": "uri"},
        {"mime_type": None, "modality": "document", "file_id": "file-1", "type": "file"},
    ]


def test_blocks_that_no_convention_knows_are_written_as_json_without_their_media() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": BASE64}
    assert parts({"type": "image", "source": source}, {"type": "mood", "value": 0.5}, "a text", 7) == [
        text(
            '{"type":"image","source":{"type":"base64","media_type":"image/png","data":"'
            + reference("image/png")
            + '"}}'
        ),
        text('{"type":"mood","value":0.5}'),
        text("a text"),
        text("7"),
    ]


@pytest.mark.parametrize("message", ["text", None, 7, {"role": "user"}, {"role": "user", "content": []}, {}])
def test_messages_that_are_none_have_no_parts(message: Any) -> None:
    assert [found["parts"] for found in inputs(message)] in ([], [[]])


def test_a_reply_is_one_message_for_each_choice() -> None:
    outputs = [
        "first",
        {"text": "second", "reasoning_content": "because", "tool_calls": None},
        {
            "text": None,
            "tool_calls": [{"id": "call-1", "function": {"name": "add", "arguments": "{}"}}],
        },
    ]
    first, second, third = [asdict(message) for message in output_messages(content(), outputs, ["stop", "length"])]
    assert first == {"role": "assistant", "parts": [text("first")], "finish_reason": "stop", "name": None}
    assert second["parts"] == [{"content": "because", "type": "reasoning"}, text("second")]
    assert second["finish_reason"] == "length"
    assert third["parts"] == [{"arguments": {}, "name": "add", "id": "call-1", "type": "tool_call"}]
    assert third["finish_reason"] is None


def test_tools_are_described_in_the_conventions_shape() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [
        {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": schema}},
        {"name": "time"},
        {"type": "web_search"},
        "nothing",
    ]
    assert [asdict(tool) for tool in tool_definitions(content(), tools)] == [
        {"name": "weather", "description": "Tells it.", "parameters": schema, "type": "function"},
        {"name": "time", "description": None, "parameters": None, "type": "function"},
    ]
    assert tool_definitions(content(), None) == []
