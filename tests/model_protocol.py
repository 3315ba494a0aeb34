"""The bodies of the OpenAI protocol: one function per endpoint for a whole answer, one for its stream."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_replies import Reply, Request, usage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["ENDPOINTS", "Answer", "Endpoint", "dated"]

_DATES = {"gpt-4o": "2024-08-06", "gpt-4.1": "2025-04-14", "gpt-5": "2025-08-07", "o3": "2025-04-16"}
_EMBEDDING_SIZE = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint needs to write its answer: the request, the choices and the usage."""

    request: Request
    replies: list[Reply]
    reply_id: str
    usage: dict[str, Any]

    @property
    def model(self) -> str:
        return dated(self.request.body["model"])


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How one path answers: the whole body, or the events of a stream where the protocol has one."""

    id_prefix: str
    body: Callable[[Answer], dict[str, Any]]
    stream: Callable[[Answer], Iterator[dict[str, Any]]] | None
    usage: Callable[[Request, list[Reply]], dict[str, Any]]
    ends_with_done: bool = True


def dated(model: str) -> str:
    """The name under which a provider answers for a model: `gpt-4o-mini-2024-07-18` for `gpt-4o-mini`."""
    if re.search(r"\d{4}-\d{2}-\d{2}$", model):
        return model
    return f"{model}-{_DATES.get(model, '2024-07-18')}"


def chat_usage(request: Request, replies: list[Reply]) -> dict[str, Any]:
    first = replies[0]
    texts = [reply.counted_text for reply in replies]
    usage = usage_of(request.body, texts, first.prompt_details, first.completion_details)
    return {**usage, **first.usage_update}


def responses_usage(request: Request, replies: list[Reply]) -> dict[str, Any]:
    usage = chat_usage(request, replies)
    names = {
        "prompt_tokens": "input_tokens",
        "completion_tokens": "output_tokens",
        "prompt_tokens_details": "input_tokens_details",
        "completion_tokens_details": "output_tokens_details",
    }
    usage = {names.get(name, name): value for name, value in usage.items()}
    # Clients read both details without asking whether they are there.
    usage.setdefault("input_tokens_details", {"cached_tokens": 0})
    usage.setdefault("output_tokens_details", {"reasoning_tokens": 0})
    return usage


def embeddings_usage(request: Request, replies: list[Reply]) -> dict[str, Any]:
    prompt_tokens = usage_of(request.body, [])["prompt_tokens"]
    return {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}


def chat_body(answer: Answer) -> dict[str, Any]:
    choices = [
        {
            "index": index,
            "message": {
                "role": "assistant",
                "content": reply.text,
                "refusal": None,
                **_tool_calls(answer, reply),
            },
            "logprobs": None,
            "finish_reason": _finish_reason(reply),
        }
        for index, reply in enumerate(answer.replies)
    ]
    return _envelope(answer, "chat.completion", choices)


def chat_stream(answer: Answer) -> Iterator[dict[str, Any]]:
    for index, reply in enumerate(answer.replies):

        def chunk(delta: Mapping[str, object], finish_reason: str | None = None, index: int = index) -> dict[str, Any]:
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
            return _envelope(answer, "chat.completion.chunk", [choice], usage=None)

        yield chunk({"role": "assistant", "content": ""})
        for piece in _pieces(reply):
            yield chunk({"content": piece})
        for number, call in enumerate(_tool_calls(answer, reply).get("tool_calls", [])):
            yield chunk({"tool_calls": [{"index": number, **call}]})
        yield chunk({}, _finish_reason(reply))
    if _tells_usage(answer):
        yield _envelope(answer, "chat.completion.chunk", [])


def _tells_usage(answer: Answer) -> bool:
    first, options = answer.replies[0], answer.request.body.get("stream_options") or {}
    return first.report_usage and (first.usage_unasked or bool(options.get("include_usage")))


def text_body(answer: Answer) -> dict[str, Any]:
    choices = [
        {"index": index, "text": reply.text, "logprobs": None, "finish_reason": _finish_reason(reply)}
        for index, reply in enumerate(answer.replies)
    ]
    return _envelope(answer, "text_completion", choices)


def text_stream(answer: Answer) -> Iterator[dict[str, Any]]:
    for index, reply in enumerate(answer.replies):
        for piece in _pieces(reply):
            choice = {"index": index, "text": piece, "logprobs": None, "finish_reason": None}
            yield _envelope(answer, "text_completion", [choice], usage=None)
        choice = {"index": index, "text": "", "logprobs": None, "finish_reason": _finish_reason(reply)}
        yield _envelope(answer, "text_completion", [choice], usage=None)
    if _tells_usage(answer):
        yield _envelope(answer, "text_completion", [])


def responses_body(answer: Answer) -> dict[str, Any]:
    reply = answer.replies[0]
    output: list[dict[str, Any]] = [
        {
            "type": "function_call",
            "id": f"fc-{answer.request.number}-{number}",
            "call_id": call["id"],
            "status": "completed",
            **call["function"],
        }
        for number, call in enumerate(_tool_calls(answer, reply).get("tool_calls", []))
    ]
    if reply.text is not None:
        content = [{"type": "output_text", "text": reply.text, "annotations": []}]
        output.append(_message_item(answer, "completed", content))
    return _response(answer, "completed", output)


def responses_stream(answer: Answer) -> Iterator[dict[str, Any]]:
    item = _message_item(answer, "in_progress", [])
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    text = answer.replies[0].text or ""
    part = {"type": "output_text", "text": text, "annotations": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(answer, "in_progress", [])},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": piece} for piece in _pieces(answer.replies[0])),
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.content_part.done", **place, "part": part},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": _message_item(answer, "completed", [part]),
        },
        {"type": "response.completed", "response": responses_body(answer)},
    ]
    for number, event in enumerate(events):
        yield {**event, "sequence_number": number}


def embeddings_body(answer: Answer) -> dict[str, Any]:
    texts = answer.request.body["input"]
    vectors = [_vector(text) for text in ([texts] if isinstance(texts, str) else texts)]
    encoded = answer.request.body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(vector) if encoded else vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {"usage": answer.usage} if answer.replies[0].report_usage else {}
    return {"object": "list", "data": data, "model": answer.request.body["model"], **usage}


def _envelope(answer: Answer, kind: str, choices: list[dict[str, Any]], **changes: object) -> dict[str, Any]:
    body = {"id": answer.reply_id, "object": kind, "created": int(time.time()), "model": answer.model}
    usage = {"usage": answer.usage} if answer.replies[0].report_usage else {}
    return {**body, "choices": choices, **usage, **changes, **answer.replies[0].body_update}


def _response(answer: Answer, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    body = {
        "id": answer.reply_id,
        "object": "response",
        "created_at": int(time.time()),
        "model": answer.model,
    }
    settings = {
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": answer.request.body.get("tools") or [],
    }
    usage = answer.usage if status == "completed" and answer.replies[0].report_usage else None
    state = {"status": status, "error": None, "incomplete_details": None, "output": output, "usage": usage}
    return {**body, **settings, **state, **answer.replies[0].body_update}


def _message_item(answer: Answer, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    identity = {"type": "message", "id": f"msg-{answer.request.number}", "role": "assistant"}
    return {**identity, "status": status, "content": content}


def _tool_calls(answer: Answer, reply: Reply) -> dict[str, list[dict[str, Any]]]:
    calls = [
        {
            "id": f"call-{answer.request.number}-{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments_json},
        }
        for number, call in enumerate(reply.tool_calls)
    ]
    return {"tool_calls": calls} if calls else {}


def _finish_reason(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")


def _pieces(reply: Reply) -> list[str]:
    """The text in chunks of one word, spaces and line breaks kept."""
    return re.findall(r"\s*\S+|\s+$", reply.text or "")


def _vector(text: str) -> list[float]:
    digest = hashlib.sha256(text.encode()).digest()[:_EMBEDDING_SIZE]
    # Multiples of 1/256 survive the way through 32 bits unchanged.
    return [byte / 256 for byte in digest]


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


ENDPOINTS: dict[str, Endpoint] = {
    "/v1/chat/completions": Endpoint("chatcmpl", chat_body, chat_stream, chat_usage),
    "/v1/completions": Endpoint("cmpl", text_body, text_stream, chat_usage),
    "/v1/responses": Endpoint("resp", responses_body, responses_stream, responses_usage, ends_with_done=False),
    "/v1/embeddings": Endpoint("embd", embeddings_body, None, embeddings_usage),
}
