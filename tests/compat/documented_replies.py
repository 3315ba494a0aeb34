"""Replies as providers document them, with all kinds of content, and what of each must be found in the messages."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

__all__ = ["BASE64", "CASES", "UNREADABLE", "Case"]

BYTES = b"\x89PNG and some pixels"
BASE64 = base64.b64encode(BYTES).decode()
DIGEST = hashlib.sha256(BYTES).hexdigest()

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def chat(message: dict[str, Any], **beside: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    return {
        "id": "r",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": USAGE,
        **beside,
    }


def responses(*items: Any) -> dict[str, Any]:
    said = {"type": "message", "id": "m1", "status": "completed", "role": "assistant"}
    counts = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {**counts, **details},
        "output": [{**said, **item} if "content" in item and "type" not in item else item for item in items],
    }


def anthropic(*blocks: Any) -> dict[str, Any]:
    counts = {"input_tokens": 7, "output_tokens": 5}
    ended = {"stop_reason": "end_turn", "stop_sequence": None, "usage": counts}
    return {"id": "r", "type": "message", "role": "assistant", "model": "m", "content": [*blocks], **ended}


def gemini(*parts: Any) -> dict[str, Any]:
    candidate = {"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [*parts]}}
    counts = {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}
    return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": "m", "responseId": "r"}


@dataclass(frozen=True, slots=True)
class Case:
    """A reply, and what of it must be found in the messages."""

    name: str
    model: str
    path: str
    reply: dict[str, Any]
    types: tuple[str, ...]
    """Of the parts, in their order; a citation is a text."""
    said: tuple[str, ...]
    """What stands somewhere in the parts."""
    settings: dict[str, Any] = field(default_factory=dict)


OPENAI = ("openai/gpt-4o", "/v1")
OPENROUTER = ("openrouter/google/gemini-2.5-flash-image", "/api/v1")
ANSWER = {"content": [{"type": "output_text", "text": "The answer.", "annotations": []}]}

CODE = {
    "type": "code_interpreter_call",
    "id": "ci_1",
    "status": "completed",
    "container_id": "c",
    "code": "6 * 7",
    "outputs": [{"type": "logs", "logs": "forty-two"}],
}

UNREADABLE = [
    Case(
        "refusal of the Responses API",
        *OPENAI,
        responses({"content": [{"type": "refusal", "refusal": "I will not."}]}),
        ("text",),
        ("I will not.",),
        {"model_type": "responses"},
    ),
    Case(
        "image of the Responses API",
        *OPENAI,
        responses({"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": BASE64}, ANSWER),
        ("uri", "text"),
        (DIGEST, "The answer."),
        {"model_type": "responses"},
    ),
    Case(
        "citation of a file of the Responses API",
        *OPENAI,
        responses(
            {
                "content": [
                    {
                        "type": "output_text",
                        "text": "The answer.",
                        "annotations": [{"type": "file_citation", "file_id": "f1", "filename": "nile.pdf", "index": 0}],
                    }
                ]
            }
        ),
        ("text", "text"),
        ("The answer.", "nile.pdf"),
        {"model_type": "responses"},
    ),
]
"""Replies on which one DSPy or another fails."""

CASES = [
    Case("refusal", *OPENAI, chat({"content": None, "refusal": "I will not."}), ("text",), ("I will not.",)),
    Case(
        "annotations",
        *OPENAI,
        chat(
            {
                "content": "The answer.",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "url": "https://a.example",
                            "title": "Rivers",
                            "start_index": 0,
                            "end_index": 3,
                        },
                    }
                ],
            }
        ),
        ("text", "text"),
        ("The answer.", "https://a.example", "Rivers"),
    ),
    Case(
        "audio",
        "openai/gpt-4o-audio-preview",
        "/v1",
        chat({"content": None, "audio": {"id": "a1", "data": BASE64, "transcript": "Spoken.", "expires_at": 1}}),
        ("uri", "text"),
        ("Spoken.", DIGEST),
    ),
    Case(
        "images and reasoning of OpenRouter",
        *OPENROUTER,
        chat(
            {
                "content": "A picture.",
                "reasoning": "Pondered.",
                "images": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}}],
            },
            provider="Google AI Studio",
        ),
        ("reasoning", "text", "uri"),
        ("Pondered.", "A picture.", DIGEST),
    ),
    Case(
        "tool calls",
        *OPENAI,
        chat(
            {
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at":"Nile"}'}},
                    {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": '{"at":"Congo"}'}},
                ],
            }
        ),
        ("tool_call", "tool_call"),
        ("call_1", "call_2", "Nile", "Congo"),
    ),
    Case(
        "sources of Perplexity",
        "perplexity/sonar",
        "",
        chat({"content": "The answer."}, citations=["https://a.example"], search_results=[{"title": "Rivers"}]),
        ("text", "text"),
        ("The answer.", "https://a.example", "Rivers"),
    ),
    Case(
        "something new",
        *OPENAI,
        chat({"content": "The answer.", "verdict": "Certain."}),
        ("text", "text"),
        ("The answer.", "Certain."),
    ),
    Case(
        "search and citation of the Responses API",
        *OPENAI,
        responses(
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": "rivers"},
            },
            {
                "content": [
                    {
                        "type": "output_text",
                        "text": "The answer.",
                        "annotations": [
                            {
                                "type": "url_citation",
                                "url": "https://a.example",
                                "title": "Rivers",
                                "start_index": 0,
                                "end_index": 3,
                            }
                        ],
                    }
                ]
            },
        ),
        ("server_tool_call", "text", "text"),
        ("ws_1", "rivers", "The answer.", "https://a.example", "Rivers"),
        {"model_type": "responses"},
    ),
    Case(
        "code of the Responses API",
        *OPENAI,
        responses(CODE, ANSWER),
        ("server_tool_call", "server_tool_call_response", "text"),
        ("6 * 7", "forty-two", "The answer."),
        {"model_type": "responses"},
    ),
    Case(
        "citations of Anthropic",
        "anthropic/claude-sonnet-4-5",
        "",
        anthropic(
            {
                "type": "text",
                "text": "The answer.",
                "citations": [
                    {
                        "type": "char_location",
                        "cited_text": "The Nile.",
                        "document_title": "Rivers",
                        "document_index": 0,
                        "start_char_index": 0,
                        "end_char_index": 9,
                    }
                ],
            }
        ),
        ("text", "text"),
        ("The answer.", "The Nile.", "Rivers"),
    ),
    Case(
        "thinking of Anthropic",
        "anthropic/claude-sonnet-4-5",
        "",
        anthropic(
            {"type": "thinking", "thinking": "Pondered.", "signature": "s"}, {"type": "text", "text": "The answer."}
        ),
        ("reasoning", "text"),
        ("Pondered.", "The answer."),
    ),
    Case(
        "image of Gemini",
        "gemini/gemini-2.5-flash",
        "/v1beta",
        gemini({"text": "A picture."}, {"inlineData": {"mimeType": "image/png", "data": BASE64}}),
        ("text", "uri"),
        ("A picture.", DIGEST),
    ),
]
