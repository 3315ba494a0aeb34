"""Blocks that a message may hold, of every kind and in every form, and the parts that stand for each."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from dspy import lm15

__all__ = [
    "BASE64",
    "KNOWN",
    "UNKNOWN",
    "call",
    "link",
    "media",
    "reasoning",
    "server_call",
    "text",
]

BYTES = b"\x89PNG and some pixels"
BASE64 = base64.b64encode(BYTES).decode()
DIGEST = hashlib.sha256(BYTES).hexdigest()


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "content": value}


def reasoning(value: str) -> dict[str, Any]:
    return {"type": "reasoning", "content": value}


def call(name: str, arguments: Any, identifier: str | None = None) -> dict[str, Any]:
    return {"type": "tool_call", "name": name, "arguments": arguments, "id": identifier}


def result(response: Any, identifier: str | None = None) -> dict[str, Any]:
    return {"type": "tool_call_response", "response": response, "id": identifier}


def server_call(name: str, identifier: str | None, **told: Any) -> dict[str, Any]:
    return {"type": "server_tool_call", "name": name, "server_tool_call": told, "id": identifier}


def server_result(identifier: str | None, **told: Any) -> dict[str, Any]:
    return {"type": "server_tool_call_response", "server_tool_call_response": told, "id": identifier}


def media(modality: str, mime_type: str | None) -> dict[str, Any]:
    uri = f"sha256:{DIGEST}?bytes={len(BYTES)}" + (f"&type={mime_type}" if mime_type else "")
    return {"type": "uri", "modality": modality, "mime_type": mime_type, "uri": uri}


def link(modality: str, uri: str, mime_type: str | None = None) -> dict[str, Any]:
    return {"type": "uri", "modality": modality, "mime_type": mime_type, "uri": uri}


def stored(modality: str, identifier: str, mime_type: str | None = None) -> dict[str, Any]:
    return {"type": "file", "modality": modality, "mime_type": mime_type, "file_id": identifier}


@dataclass
class Mood:
    """A part that nobody knows."""

    feeling: str
    type: str = "mood"


OPENAI = [
    ({"type": "text", "text": "hello"}, [text("hello")]),
    ({"type": "refusal", "refusal": "no"}, [text("no")]),
    (
        {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
        [link("image", "https://a/b.png")],
    ),
    ({"type": "image_url", "image_url": f"data:image/png;base64,{BASE64}"}, [media("image", "image/png")]),
    ({"type": "input_audio", "input_audio": {"data": BASE64, "format": "mp3"}}, [media("audio", "audio/mp3")]),
    ({"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{BASE64}"}}, [media("video", "video/mp4")]),
    (
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{BASE64}", "filename": "plan.pdf"}},
        [media("document", "application/pdf"), text('{"filename":"plan.pdf"}')],
    ),
    ({"type": "file", "file": {"file_id": "file-1"}}, [stored("document", "file-1")]),
]

RESPONSES = [
    ({"type": "input_text", "text": "hello"}, [text("hello")]),
    ({"type": "input_image", "image_url": "https://a/b.png"}, [link("image", "https://a/b.png")]),
    ({"type": "input_image", "file_id": "file-1"}, [stored("image", "file-1")]),
    (
        {"type": "input_file", "filename": "plan.pdf", "file_data": f"data:application/pdf;base64,{BASE64}"},
        [media("document", "application/pdf"), text('{"filename":"plan.pdf"}')],
    ),
    (
        {"type": "output_text", "text": "so", "annotations": [{"type": "file_citation", "filename": "plan.pdf"}]},
        [text("so"), text('{"type":"file_citation","filename":"plan.pdf"}')],
    ),
    (
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "short"}], "content": []},
        [reasoning("short")],
    ),
    (
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}],
            "content": [{"type": "reasoning_text", "text": "long"}],
        },
        [reasoning("one\ntwo\nlong")],
    ),
    (
        {"type": "function_call", "call_id": "c1", "id": "f1", "name": "add", "arguments": '{"a":1}'},
        [call("add", {"a": 1}, "c1")],
    ),
    (
        {"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "select 1"},
        [call("sql", "select 1", "c1")],
    ),
    ({"type": "function_call_output", "call_id": "c1", "output": "3"}, [result("3", "c1")]),
    (
        {
            "type": "computer_call",
            "call_id": "c1",
            "action": {"type": "type", "text": "abc"},
            "pending_safety_checks": [{"message": "sure?"}],
        },
        [
            call("computer", {"type": "type", "text": "abc"}, "c1"),
            text('{"pending_safety_checks":[{"message":"sure?"}]}'),
        ],
    ),
    (
        {"type": "local_shell_call", "call_id": "c1", "action": {"command": ["ls"]}},
        [call("local_shell", {"command": ["ls"]}, "c1")],
    ),
    ({"type": "local_shell_call_output", "id": "c1", "output": "a b"}, [result("a b", "c1")]),
    (
        {"type": "web_search_call", "id": "w1", "status": "completed", "action": {"type": "search", "query": "rivers"}},
        [server_call("web_search", "w1", type="web_search_call", action={"type": "search", "query": "rivers"})],
    ),
    (
        {"type": "file_search_call", "id": "f1", "queries": ["rivers"], "results": [{"text": "The Nile"}]},
        [
            server_call("file_search", "f1", type="file_search_call", queries=["rivers"]),
            server_result("f1", type="file_search_call", results=[{"text": "The Nile"}]),
        ],
    ),
    (
        {"type": "code_interpreter_call", "id": "i1", "code": "6*7", "outputs": [{"type": "logs", "logs": "42"}]},
        [
            server_call("code_interpreter", "i1", type="code_interpreter_call", code="6*7"),
            server_result("i1", type="code_interpreter_call", outputs=[{"type": "logs", "logs": "42"}]),
        ],
    ),
    (
        {
            "type": "mcp_call",
            "id": "m1",
            "name": "look",
            "server_label": "docs",
            "arguments": '{"at":"x"}',
            "output": "y",
        },
        [
            server_call("look", "m1", type="mcp_call", server_label="docs", arguments={"at": "x"}),
            server_result("m1", type="mcp_call", output="y"),
        ],
    ),
    (
        {"type": "image_generation_call", "id": "g1", "result": BASE64, "revised_prompt": "a red cat"},
        [media("image", None), text('{"revised_prompt":"a red cat"}')],
    ),
    (
        {"type": "mcp_approval_request", "id": "a1", "name": "look", "arguments": "{}"},
        [text('{"type":"mcp_approval_request","id":"a1","name":"look","arguments":"{}"}')],
    ),
]

ANTHROPIC = [
    ({"type": "thinking", "thinking": "hm", "signature": "opaque"}, [reasoning("hm")]),
    ({"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}}, [call("add", {"a": 1}, "t1")]),
    (
        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "3"}], "is_error": True},
        [result([{"type": "text", "text": "3"}], "t1"), text('{"is_error":true}')],
    ),
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}},
        [media("image", "image/png")],
    ),
    ({"type": "image", "source": {"type": "url", "url": "https://a/b.png"}}, [link("image", "https://a/b.png")]),
    (
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "The Nile."},
            "title": "Rivers",
            "citations": {"enabled": True},
        },
        [text("The Nile."), text('{"title":"Rivers"}')],
    ),
    (
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": BASE64}},
        [media("document", "application/pdf")],
    ),
    (
        {"type": "text", "text": "so", "citations": [{"type": "char_location", "cited_text": "The Nile."}]},
        [text("so"), text('{"type":"char_location","cited_text":"The Nile."}')],
    ),
    (
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "rivers"}},
        [server_call("web_search", "s1", type="server_tool_use", input={"query": "rivers"})],
    ),
    (
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "https://a"}]},
        [server_result("s1", type="web_search_tool_result", content=[{"url": "https://a"}])],
    ),
]

GEMINI = [
    ({"text": "hello"}, [text("hello")]),
    ({"text": "hm", "thought": True, "thoughtSignature": "opaque"}, [reasoning("hm")]),
    ({"functionCall": {"name": "add", "args": {"a": 1}}}, [call("add", {"a": 1})]),
    ({"inlineData": {"mimeType": "audio/wav", "data": BASE64}}, [media("audio", "audio/wav")]),
    ({"fileData": {"mimeType": "video/mp4", "fileUri": "gs://a/b"}}, [link("video", "gs://a/b", "video/mp4")]),
    ({"executableCode": {"code": "6*7"}}, [text('{"executableCode":{"code":"6*7"}}')]),
]

DSPY = [
    (lm15.TextPart("hello"), [text("hello")]),
    (lm15.RefusalPart("no"), [text("no")]),
    (lm15.ThinkingPart("hm"), [reasoning("hm")]),
    (lm15.ToolCallPart("c1", "add", {"a": 1}), [call("add", {"a": 1}, "c1")]),
    (
        lm15.ToolResultPart("c1", (lm15.TextPart("3"),), name="add"),
        [result([{"text": "3", "type": "text"}], "c1"), text('{"name":"add"}')],
    ),
    (
        lm15.CitationPart(url="https://a", title="Rivers", text="The Nile."),
        [text('{"url":"https://a","title":"Rivers","text":"The Nile.","type":"citation"}')],
    ),
    (lm15.DataPart({"a": 1}), [text('{"a":1}')]),
    (lm15.ImagePart(data=BASE64), [media("image", "image/png")]),
    (lm15.AudioPart(url="https://a/b.wav"), [link("audio", "https://a/b.wav", "audio/wav")]),
    (lm15.VideoPart(file_id="v1"), [stored("video", "v1", "video/mp4")]),
    (lm15.DocumentPart(data=BASE64), [media("document", "application/pdf")]),
    (lm15.BinaryPart(data=BASE64), [media("document", "application/octet-stream")]),
    (SimpleNamespace(type="text", text="hello"), [text("hello")]),
]

UNKNOWN = [
    ("hello", [text("hello")]),
    (7, [text("7")]),
    (["hello", ["you"]], [text("hello"), text("you")]),
    ({"type": "mood", "value": 0.5}, [text('{"type":"mood","value":0.5}')]),
    ({"value": 0.5}, [text('{"value":0.5}')]),
    (Mood("glad"), [text('{"feeling":"glad","type":"mood"}')]),
    ({"type": "text", "text": "hello", "tone": "kind"}, [text("hello"), text('{"tone":"kind"}')]),
    ({"type": "text"}, []),
    ({"type": "tool_use", "input": {"a": 1}}, [text('{"type":"tool_use","input":{"a":1}}')]),
    ({"type": "image"}, [text('{"type":"image"}')]),
    ({"type": 5, "text": 6}, [text('{"type":5,"text":6}')]),
    (b"raw", [text(f'"sha256:{hashlib.sha256(b"raw").hexdigest()}?bytes=3"')]),
    (None, []),
]


KNOWN = [*OPENAI, *RESPONSES, *ANTHROPIC, *GEMINI, *DSPY]
