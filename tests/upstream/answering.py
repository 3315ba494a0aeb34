"""A model behind HTTP on loopback: whole replies, and streams of three chunks."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["served_model"]

ANSWER = "[[ ## answer ## ]]\nhere\n\n[[ ## completed ## ]]"
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


class Answers(BaseHTTPRequestHandler):
    """Speaks the protocol of chat completions."""

    def do_POST(self) -> None:
        """Answer a request."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        if asked.get("stream"):
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for part in (ANSWER[:20], ANSWER[20:30], ANSWER[30:]):
                self._event({"delta": {"role": "assistant", "content": part}, "finish_reason": None})
            self._event({"delta": {}, "finish_reason": "stop"})
            self.wfile.write(b"data: [DONE]\n\n")
            return
        choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
        body = json.dumps(self._reply("chat.completion", choice)).encode()
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing of requests."""

    def _event(self, choice: dict[str, Any]) -> None:
        data = json.dumps(self._reply("chat.completion.chunk", {"index": 0, **choice}))
        self.wfile.write(f"data: {data}\n\n".encode())

    def _reply(self, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": "reply-1",
            "object": kind,
            "created": 1,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [choice],
            "usage": USAGE,
        }


@contextmanager
def served_model(**settings: Any) -> Iterator[Any]:
    """Yield a ``dspy.LM`` that asks such a server."""
    import dspy

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield dspy.LM("openai/gpt-4o-mini", api_base=address, api_key="test-key", **settings)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
