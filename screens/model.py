"""The model's service of the screens: it answers from a script, fails where it is told to, and keeps what it billed."""

from __future__ import annotations

import json
import re
import socketserver
import threading
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from scripted_model import Script, completion, completion_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

__all__ = ["Bill", "ScreensModel", "Script"]

_DIMENSIONS = 64
_DOLLARS_PER_MILLION = {"input": 0.15, "cached": 0.075, "output": 0.6, "embedding": 0.02}
"""What gpt-4o-mini and text-embedding-3-small cost, by OpenAI's list."""

_MARKED = {"busy": "Is anybody there", "prose": "Which lamp is the brightest", "unparsable": "How old is the workshop"}
"""Words in a prompt that are answered with a failure: one that passes, a layout once, a layout always."""


@dataclass(slots=True)
class Bill:
    """What the service counted for the requests that it answered."""

    chats: int = 0
    embeddings: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    embedding_tokens: int = 0

    @property
    def dollars(self) -> float:
        """What all of it cost."""
        prices = _DOLLARS_PER_MILLION
        fresh = self.input_tokens - self.cached_tokens
        chats = fresh * prices["input"] + self.cached_tokens * prices["cached"] + self.output_tokens * prices["output"]
        return (chats + self.embedding_tokens * prices["embedding"]) / 1_000_000


@dataclass(slots=True)
class ScreensModel:
    """Serves a script while it is entered as a context manager; see `scripted_model.completion_text` for its shape."""

    script: Script
    taught: Script
    """What it answers instead to a prompt with demonstrations in it: an optimizer is to find that they help."""
    bill: Bill = field(default_factory=Bill)
    _failed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listener: _Listener = field(init=False)

    def __post_init__(self) -> None:
        self._listener = _Listener(("127.0.0.1", 0), _Handler)
        self._listener.model = self

    @property
    def url(self) -> str:
        """The base address for `api_base`."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}/v1"

    def __enter__(self) -> ScreensModel:
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown()
        self._listener.server_close()

    def chat(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the body of an answer, `None` where the service is busy for once."""
        messages: list[Mapping[str, str]] = [
            {**message, "content": _text(message["content"])} for message in request["messages"]
        ]
        prompt = messages[-1]["content"]
        if _MARKED["busy"] in prompt and not self._failed:
            self._failed = True
            return None
        in_prose = _MARKED["unparsable"] in prompt or (_MARKED["prose"] in prompt and "response_format" not in request)
        if in_prose:
            text = "I would say that this is a matter of taste."
        elif "response_format" in request:
            text = json.dumps({"answer": "The Polaris, with 2400 lumen."})
        else:
            is_taught = any(message["role"] == "assistant" for message in messages)
            text = completion_text(messages, {**self.script, **(self.taught if is_taught else {})})
        body = completion({**request, "messages": messages}, text)
        usage = body["usage"]
        # As with OpenAI, what many prompts begin with is read again at half the price.
        cached = usage["prompt_tokens"] // 2 if usage["prompt_tokens"] > 200 else 0
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
        with self._lock:
            self.bill.chats += 1
            self.bill.input_tokens += usage["prompt_tokens"]
            self.bill.cached_tokens += cached
            self.bill.output_tokens += usage["completion_tokens"]
        return body

    def embed(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return each text's words counted in a few buckets: enough to tell seven articles apart."""
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        data = [{"object": "embedding", "index": index, "embedding": _words(text)} for index, text in enumerate(texts)]
        tokens = sum(len(text) // 4 for text in texts)
        with self._lock:
            self.bill.embeddings += 1
            self.bill.embedding_tokens += tokens
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "model": request["model"], "data": data, "usage": usage}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def _words(text: str) -> list[float]:
    counts = [0.0] * _DIMENSIONS
    for word in re.findall(r"[a-z]{4,}", text.lower()):
        counts[zlib.crc32(word[:6].encode()) % _DIMENSIONS] += 1.0
    return counts


def _events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an answer as the chunks of a stream, a word in each."""
    choice = body["choices"][0]
    shared = {**{key: body[key] for key in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    for piece in re.findall(r"\s*\S+", choice["message"]["content"]):
        delta = {"role": "assistant", "content": piece}
        yield {**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {**shared, "choices": [], "usage": body["usage"]}


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    model: ScreensModel


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """The bill says it all."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            if self.path == "/v1/embeddings":
                self._send(200, self.server.model.embed(request))
                return
            body = self.server.model.chat(request)
        except LookupError as error:
            self._send(400, {"error": {"message": str(error), "type": "invalid_request_error"}})
            return
        if body is None:
            self._send(503, {"error": {"message": "busy, try again", "type": "server_error"}})
        elif request.get("stream"):
            events = "".join(f"data: {json.dumps(event)}\n\n" for event in _events(body))
            self._write(200, "text/event-stream", f"{events}data: [DONE]\n\n".encode())
        else:
            self._send(200, body)

    def _send(self, status: int, body: Mapping[str, Any]) -> None:
        self._write(status, "application/json", json.dumps(body).encode())

    def _write(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
