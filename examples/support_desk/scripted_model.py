"""A language model's service that knows its answers by heart: the example needs no key and no network.

It speaks as much of the OpenAI chat-completions protocol as a DSPy program without streaming needs, takes
about the time that a model would take and counts tokens about as a provider would bill them.
"""

from __future__ import annotations

import hashlib
import json
import re
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["ScriptedModel"]

_SHORTEST_SECONDS = 0.08
_LONGEST_SECONDS = 0.6
_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4

Script = dict[str, dict[str, Any]]


class ScriptedModel:
    """Serves a script while it is entered as a context manager.

    The script has an entry for each question that it expects somewhere in the prompt: the value of every
    output field that may be asked for, and under `steps` the fields of an agent's turns, one after the other.
    """

    def __init__(self, script: Script) -> None:
        self._listener = _Listener(("127.0.0.1", 0), _Handler)
        self._listener.script = script
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base address for `api_base`."""
        host, port = self._listener.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


def completion_text(messages: list[Mapping[str, str]], script: Script) -> str:
    """The fields that the last message asks for, in the layout of DSPy's ChatAdapter.

    Raises: LookupError when the script has no entry for the question, or none for a field.
    """
    prompt = messages[-1]["content"]
    entry = next((entry for question, entry in script.items() if question in prompt), None)
    if entry is None:
        raise LookupError("the script has no answer to this question")
    fields = entry
    wanted = re.findall(r"`\[\[ ## (\w+) ## \]\]`", prompt)
    if "next_tool_name" in wanted:
        # The prompt carries what the agent has seen so far: one observation for each turn.
        fields = entry["steps"][len(re.findall(r"\[\[ ## observation_\d+ ## \]\]", prompt))]
    sections = [f"[[ ## {name} ## ]]\n{_as_text(fields[name])}" for name in wanted if name != "completed"]
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def completion(request: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The body of an answer."""
    prompt_tokens = sum(
        _TOKENS_PER_MESSAGE + len(message["content"]) // _CHARACTERS_PER_TOKEN for message in request["messages"]
    )
    completion_tokens = len(text) // _CHARACTERS_PER_TOKEN
    message = {"role": "assistant", "content": text}
    return {
        "id": f"chatcmpl-{_digest(request)[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def seconds_to_think(request: Mapping[str, Any]) -> float:
    """A time that looks random and is the same for the same request."""
    share = int(_digest(request)[:8], 16) / 0xFFFFFFFF
    return _SHORTEST_SECONDS + share * (_LONGEST_SECONDS - _SHORTEST_SECONDS)


def _digest(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request["messages"]).encode()).hexdigest()


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    script: Script


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """The program's own output is what the reader wants to see."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions" or request.get("stream"):
            self._send(404, _error("only /v1/chat/completions without streaming is served here"))
            return
        try:
            text = completion_text(request["messages"], self.server.script)
        except LookupError as error:
            self._send(400, _error(f"{error}; set DEMO_MODEL to ask a real model"))
            return
        time.sleep(seconds_to_think(request))
        self._send(200, completion(request, text))

    def _send(self, status: int, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
