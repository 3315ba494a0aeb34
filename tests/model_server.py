"""A real HTTP server on loopback that speaks the OpenAI protocol, for tests of whole DSPy programs.

    with ModelServer() as server:
        dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=server.url, api_key="test-key", cache=False))
        dspy.Predict("question -> answer")(question="Where?")
        [request] = server.requests

Unscripted, it fills every output field that the prompt asks for; see `Script` for answers of a test's own and
`usage_of` for the tokens that it reports.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from loopback import ADDRESS, LoopbackServer
from model_protocol import ENDPOINTS, Answer, Endpoint, dated
from model_replies import Failure, Reply, Request, Script, Scripted, ToolCall, replies_to, usage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

__all__ = [
    "Failure",
    "ModelServer",
    "Reply",
    "Request",
    "Script",
    "Scripted",
    "ToolCall",
    "dated",
    "usage_of",
]


@dataclass(slots=True)
class _FailureRule:
    applies: Callable[[Request], bool]
    failure: Failure
    times_left: float


class ModelServer(LoopbackServer):
    """Serves while it is entered as a context manager; `reply` may be replaced at any time.

    An exception of the script is answered with status 500 and raised again on leaving.
    """

    def __init__(self, reply: Script | None = None) -> None:
        self.reply = reply
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._failures: list[_FailureRule] = []
        self._errors: list[Exception] = []
        self._listener = _Listener(self)
        super().__init__(self._listener, "model-server")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._listener.close_connections()
        if error is None and self._errors:
            raise self._errors[0]

    @property
    def url(self) -> str:
        """The base address for `api_base`, with the `/v1`."""
        return f"http://{self.host}:{self.port}/v1"

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in order of arrival, failed ones included."""
        with self._lock:
            return list(self._requests)

    def request_of(self, reply_id: str) -> Request:
        """The request that was answered under this id (`chatcmpl-3`, a span's `gen_ai.response.id`).

        Raises: LookupError when no answer had it.
        """
        for request in self.requests:
            if request.reply_id == reply_id:
                return request
        raise LookupError(f"No request was answered with the id {reply_id}")

    def fail_next(self, failure: Failure, times: int = 1) -> None:
        """Answer the next requests with a failure, whatever they ask."""
        self.fail_when(lambda request: True, failure, times)

    def fail_when(self, applies: Callable[[Request], bool], failure: Failure, times: float = float("inf")) -> None:
        """Answer requests for which `applies` is true with a failure, at most `times` of them."""
        with self._lock:
            self._failures.append(_FailureRule(applies, failure, times))

    def _record(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Request:
        with self._lock:
            request = Request(len(self._requests) + 1, path, headers, body)
            self._requests.append(request)
        return request

    def _answer(self, request: Request, endpoint: Endpoint) -> Answer | Failure:
        """Decide on the answer and note it in the request."""
        failure = self._next_failure(request)
        try:
            replies = failure or replies_to(request, self.reply)
            if isinstance(replies, Failure):
                request.status = None if replies.drop else replies.status
                return replies
            usage = endpoint.usage(request, replies)
        except Exception as error:  # noqa: BLE001 - whatever a test's script raises is the test's to see
            self._errors.append(error)
            request.status = 500
            return Failure(500, f"the test's script raised {error!r}")
        request.status = 200
        request.reply_id = f"{endpoint.id_prefix}-{request.number}"
        request.usage = usage if replies[0].report_usage else None
        request.texts = [reply.counted_text for reply in replies]
        return Answer(request, replies, request.reply_id, usage)

    def _next_failure(self, request: Request) -> Failure | None:
        with self._lock:
            for rule in self._failures:
                if rule.times_left > 0 and rule.applies(request):
                    rule.times_left -= 1
                    return rule.failure
        return None


class _Listener(socketserver.ThreadingTCPServer):
    """A thread per connection; connections are kept so that leaving can end those that clients hold open."""

    daemon_threads = True
    # DSPy programs open all their connections at the same moment.
    request_queue_size = 512

    def __init__(self, owner: ModelServer) -> None:
        self.owner = owner
        self._connections: set[socket.socket] = set()
        super().__init__(ADDRESS, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive; streams go out in chunked encoding."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """Tests read the requests, nobody reads a log."""

    def handle(self) -> None:
        # A client that leaves early, or a server that is left, ends the connection and nothing else.
        with contextlib.suppress(OSError):
            super().handle()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        endpoint = ENDPOINTS.get(self.path)
        if endpoint is None:
            self._send_failure(Failure(404, f"There is no {self.path} here"))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = self.server.owner._record(self.path, headers, json.loads(content))
        answer = self.server.owner._answer(request, endpoint)
        if isinstance(answer, Failure):
            self._send_failure(answer)
        elif request.body.get("stream") and endpoint.stream is not None:
            self._send_stream(endpoint, answer)
        else:
            self._send_json(200, endpoint.body(answer), {})

    def _send_failure(self, failure: Failure) -> None:
        if failure.drop:
            self._drop()
        else:
            self._send_json(failure.status, failure.json_body(), failure.headers)

    def _send_json(self, status: int, body: object, headers: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_stream(self, endpoint: Endpoint, answer: Answer) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in _paced(endpoint, answer):
            if event is None:
                self._drop()
                return
            name = f"event: {event['type']}\n" if "type" in event else ""
            self._send_chunk(f"{name}data: {json.dumps(event)}\n\n".encode())
        if endpoint.ends_with_done:
            self._send_chunk(b"data: [DONE]\n\n")
        self._send_chunk(b"")

    def _send_chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _paced(endpoint: Endpoint, answer: Answer) -> Iterator[dict[str, Any] | None]:
    """The events of a stream in the reply's own pace; None where the reply wants the connection cut."""
    assert endpoint.stream is not None
    reply = answer.replies[0]
    sent = 0
    for event in endpoint.stream(answer):
        if _has_content(event):
            if sent == reply.cut_after:
                yield None
                return
            if reply.before_chunk is not None:
                reply.before_chunk(sent)
            sent += 1
        yield event


def _has_content(event: dict[str, Any]) -> bool:
    """Whether an event carries a piece of the reply's text."""
    choices = event.get("choices") or [{}]
    delta = choices[0].get("delta") or choices[0]
    return bool(delta.get("content") or delta.get("text") or event.get("delta"))
