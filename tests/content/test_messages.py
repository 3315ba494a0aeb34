"""Messages of a language model call in the shapes of the GenAI conventions."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from dspy import lm15
from genai_messages import faults_of

from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.content import Content
from opentelemetry.instrumentation.dspy.content.messages import input_messages, output_messages, tool_definitions

if TYPE_CHECKING:
    from opentelemetry.instrumentation.dspy.config import Redact

SOUND = b"RIFF some sound"
BASE64 = base64.b64encode(SOUND).decode()


def content(redact: Redact | None = None) -> Content:
    return Content(Options(content_max_length=1000, redact=redact), captured=True)


def inputs(*messages: Any, prompt: Any = None, redact: Redact | None = None) -> list[dict[str, Any]]:
    return [asdict(message) for message in input_messages(content(redact), prompt, list(messages))]


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
    output_messages(content(redact), [], ["reply"], ["stop"])
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


@pytest.mark.parametrize("message", [None, {}, {"role": "user"}, {"role": "user", "content": []}])
def test_messages_that_say_nothing_have_no_parts(message: Any) -> None:
    assert [found["parts"] for found in inputs(message)] in ([], [[]])


@pytest.mark.parametrize(
    ("message", "role", "expected"),
    [
        ("hello", "user", [text("hello")]),
        (("user", "hello"), "user", [text("user"), text("hello")]),
        (7, "user", [text("7")]),
        ({"content": "hello"}, "user", [text("hello")]),
        (SimpleNamespace(role="assistant", content="hello"), "assistant", [text("hello")]),
        (
            {"role": "user", "content": "hello", "context": "inside"},
            "user",
            [text("hello"), text('{"context":"inside"}')],
        ),
        ({"role": "user", "content": {"a": 1}}, "user", [text('{"a":1}')]),
        ({"role": "model", "parts": [{"text": "hello"}]}, "model", [text("hello")]),
        (
            {"role": "assistant", "content": "hello", "reasoning_content": "hm"},
            "assistant",
            [{"content": "hm", "type": "reasoning"}, text("hello")],
        ),
        (
            {"role": "assistant", "content": "hello", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]},
            "assistant",
            [{"content": "hm", "type": "reasoning"}, text("hello")],
        ),
        ({"role": "assistant", "content": None, "refusal": "no"}, "assistant", [text("no")]),
        (
            {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a":1}'},
            "assistant",
            [{"arguments": {"a": 1}, "name": "add", "id": "c1", "type": "tool_call"}],
        ),
        (
            {"type": "function_call_output", "call_id": "c1", "output": "3"},
            "user",
            [{"response": "3", "id": "c1", "type": "tool_call_response"}],
        ),
        ({"role": "tool", "content": "3"}, "tool", [text("3")]),
    ],
)
def test_a_message_in_whatever_form_it_is_given(message: Any, role: str, expected: list[dict[str, Any]]) -> None:
    [found] = inputs(message)
    assert (found["role"], found["parts"]) == (role, expected)
    assert faults_of([found], replies=False) == []


def test_names_of_those_who_speak_are_kept() -> None:
    asked, answered = inputs(
        {"role": "user", "content": "hello", "name": "ann"},
        {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add"},
    )
    assert (asked["name"], answered["name"]) == ("ann", "add")


def test_media_in_the_result_of_a_tool_are_references() -> None:
    blocks = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}},
        {"type": "input_audio", "input_audio": {"data": BASE64, "format": "wav"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}},
        {"type": "output_image", "b64_json": BASE64},
    ]
    [message] = inputs({"role": "tool", "tool_call_id": "c1", "content": blocks})
    assert BASE64 not in str(message)
    assert str(message).count(hashlib.sha256(SOUND).hexdigest()) == 4


def test_tools_are_described_in_the_conventions_shape() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [
        {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": schema}},
        {"name": "time"},
        {"name": "look", "input_schema": schema},
        {"type": "web_search", "user_location": {"city": "Paris"}},
        {"type": "custom", "custom": {"name": "sql", "description": "Asks."}},
        {"type": "mcp", "server_label": "docs", "authorization": "Bearer x", "headers": {"X-Key": "y"}},
        {"google_search": {}},
        lm15.FunctionTool("add"),
        lm15.BuiltinTool("web_search", {"depth": 1}),
        "nothing",
    ]
    anything = {"type": "object", "properties": {}}
    assert [asdict(tool) for tool in tool_definitions(content(), tools)] == [
        {"name": "weather", "description": "Tells it.", "parameters": schema, "type": "function"},
        {"name": "time", "description": None, "parameters": None, "type": "function"},
        {"name": "look", "description": None, "parameters": schema, "type": "function"},
        {"name": "web_search", "type": "web_search", "settings": {"user_location": {"city": "Paris"}}},
        {"name": "sql", "type": "custom", "settings": {"custom": {"name": "sql", "description": "Asks."}}},
        {"name": "docs", "type": "mcp", "settings": {"server_label": "docs"}},
        {"name": "google_search", "type": "google_search", "settings": None},
        {"name": "add", "description": None, "parameters": anything, "type": "function"},
        {"name": "web_search", "type": "builtin", "settings": {"config": {"depth": 1}}},
    ]
    assert tool_definitions(content(), None) == []
