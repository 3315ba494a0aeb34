"""A language model's service that knows its answers by heart: the examples need no key and no network.

It speaks as much of the OpenAI chat-completions protocol as a DSPy program needs, streams included, takes about the
time that a model would take and counts tokens about as a provider would bill them.
"""

from __future__ import annotations

import hashlib
import json
import re
import socketserver
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["Script", "ScriptedModel", "completion", "completion_text", "text_of"]

_SHORTEST_SECONDS = 0.08
_LONGEST_SECONDS = 0.6
_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4

Fields: TypeAlias = "dict[str, Any]"
Script: TypeAlias = "dict[str, Fields | list[Fields]]"
"""What is answered, by words that stand in the prompt; the first that do count.

An entry has the value of every output field that may be asked for, and under `steps` the fields of an agent's turns,
one after the other. Of a list of entries the last has all of that, and each of those before it has what is answered
instead where its words under `when` stand in one of the messages: a model that was told more answers better.
"""


class ScriptedModel:
    """Serves a script while it is entered as a context manager; with `pace=0` without a pause."""

    def __init__(self, script: Script, pace: float = 1.0) -> None:
        self.script = script
        self.pace = pace
        self._listener = _Listener(("127.0.0.1", 0), _Handler)
        self._listener.model = self
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The base address for `api_base`."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()

    def answer(self, path: str, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the body of an answer. Raises: LookupError when the script has none."""
        if path != "/v1/chat/completions":
            return 404, _error("only /v1/chat/completions is served here")
        wants_json = "response_format" in request
        return 200, completion(request, completion_text(request["messages"], self.script, as_json=wants_json))


def completion_text(messages: Sequence[Mapping[str, Any]], script: Script, *, as_json: bool = False) -> str:
    """The fields that the last message asks for, in the layout of DSPy's ChatAdapter or in that of its JSONAdapter.

    Raises: LookupError when the script has no entry for the prompt, or none for a field.
    """
    prompt = text_of(messages[-1])
    fields = entry = _entry(messages, script)
    if as_json:
        return json.dumps({name: fields[name] for name in re.findall(r"`(\w+)`", prompt.rpartition("Respond with")[2])})
    wanted = re.findall(r"`\[\[ ## (\w+) ## \]\]`", prompt)
    if "next_tool_name" in wanted:
        # The prompt carries what the agent has seen so far: one observation for each turn.
        fields = entry["steps"][len(re.findall(r"\[\[ ## observation_\d+ ## \]\]", prompt))]
    sections = [f"[[ ## {name} ## ]]\n{_as_text(fields[name])}" for name in wanted if name != "completed"]
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def completion(request: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The body of an answer."""
    prompt_tokens = sum(
        _TOKENS_PER_MESSAGE + len(text_of(message)) // _CHARACTERS_PER_TOKEN for message in request["messages"]
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


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message; of one with pictures, what is said beside them."""
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _entry(messages: Sequence[Mapping[str, Any]], script: Script) -> Fields:
    prompt = text_of(messages[-1])
    found = next((entry for words, entry in script.items() if words in prompt), None)
    if found is None:
        raise LookupError("the script has no answer to this question")
    if not isinstance(found, list):
        return found
    everything = "\n".join(map(text_of, messages))
    special = next((entry for entry in found[:-1] if entry["when"] in everything), {})
    return {**found[-1], **special}


def _digest(request: Mapping[str, Any]) -> str:
    # A request for embeddings has no messages.
    return hashlib.sha256(json.dumps(request.get("messages", request)).encode()).hexdigest()


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def _events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An answer as the chunks of a stream, a word in each."""
    shared = {**{key: body[key] for key in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    for piece in re.findall(r"\s*\S+", body["choices"][0]["message"]["content"]):
        delta = {"role": "assistant", "content": piece}
        yield {**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {**shared, "choices": [], "usage": body["usage"]}


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    model: ScriptedModel


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """The program's own output is what the reader wants to see."""

    def handle(self) -> None:
        # Whoever stops reading a stream ends the connection, and nothing else.
        with suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model = self.server.model
        try:
            status, body = model.answer(self.path, request)
        except LookupError as error:
            status, body = 400, _error(f"{error}; set DEMO_MODEL to ask a real model")
        seconds = seconds_to_think(request) * model.pace if status == 200 else 0.0
        if status == 200 and request.get("stream"):
            self._stream(body, seconds)
        else:
            time.sleep(seconds)
            self._send(status, body)

    def _send(self, status: int, body: Mapping[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, body: dict[str, Any], seconds: float) -> None:
        """Send an answer word by word: half of the time passes before the first one."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        events = [json.dumps(event) for event in _events(body)]
        time.sleep(seconds / 2)
        for event in [*events, "[DONE]"]:
            content = f"data: {event}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            time.sleep(seconds / 2 / len(events))
        self.wfile.write(b"0\r\n\r\n")
