"""A reverse proxy on loopback that keeps every exchange: what went over the wire, whatever both ends say of it.

with LocalModel() as server, RecordingProxy(server.address) as wire:
    dspy.configure(lm=dspy.LM(server.model, api_base=wire.url, api_key="test-key"))
    dspy.Predict("question -> answer")(question="Where?")
    [exchange] = wire.exchanges
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from loopback import ADDRESS, LoopbackServer

__all__ = ["Exchange", "RecordingProxy"]

_HOP_HEADERS = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass(slots=True)
class Exchange:
    """A request and its reply; header names in lower case, bodies as they were on the wire as far as they came."""

    path: str
    headers: dict[str, str]
    request_content: bytes
    status: int = 0
    reply_content: bytes = b""

    @property
    def request(self) -> dict[str, Any]:
        """The body of the request."""
        body: dict[str, Any] = json.loads(self.request_content)
        return body

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The reply: its only body, or each event of a stream up to the closing `[DONE]`."""
        if not self.request.get("stream"):
            return [json.loads(self.reply_content)]
        lines = self.reply_content.decode().splitlines()
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return [json.loads(event) for event in data if event != "[DONE]"]

    @property
    def reply_id(self) -> str:
        """The identifier that the server gave to its reply."""
        [reply_id] = {message["id"] for message in self.messages}
        return str(reply_id)

    @property
    def finish_reason(self) -> str:
        """Why the reply ended, in the server's word."""
        choices = [choice for message in self.messages for choice in message["choices"]]
        [reason] = {choice["finish_reason"] for choice in choices if choice.get("finish_reason")}
        return str(reason)

    @property
    def pieces(self) -> list[str]:
        """The texts of a stream's events."""
        deltas = [choice["delta"] for message in self.messages for choice in message["choices"]]
        return [delta["content"] for delta in deltas if delta.get("content")]

    @property
    def usage(self) -> dict[str, Any] | None:
        """The tokens that the server reported; None where it was not asked to."""
        reports: list[dict[str, Any]] = [message["usage"] for message in self.messages if message.get("usage")]
        assert len(reports) <= 1, reports
        return reports[0] if reports else None


class RecordingProxy(LoopbackServer):
    """Passes requests on to one server while it is entered as a context manager."""

    def __init__(self, address: str) -> None:
        self.upstream = urlsplit(address)
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        super().__init__(_Server(self), "recording-proxy")

    @property
    def url(self) -> str:
        """The base address for `api_base`, with the `/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def exchanges(self) -> list[Exchange]:
        """All exchanges, in the order in which the requests came in."""
        with self._lock:
            return list(self._exchanges)

    def keep(self, exchange: Exchange) -> None:
        """Add an exchange to the list."""
        with self._lock:
            self._exchanges.append(exchange)


class _Server(ThreadingHTTPServer):
    # Leaving waits for the requests under way; HTTP/1.0 leaves no idle connection to wait for.
    daemon_threads = False

    def __init__(self, proxy: RecordingProxy) -> None:
        self.proxy = proxy
        super().__init__(ADDRESS, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    server: _Server

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """Tests read the exchanges, nobody reads a log."""

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in _HOP_HEADERS}
        exchange = Exchange(self.path, headers, content)
        self.server.proxy.keep(exchange)
        upstream = self.server.proxy.upstream
        with contextlib.closing(HTTPConnection(str(upstream.hostname), upstream.port)) as connection:
            connection.request("POST", self.path, content, headers)
            reply = connection.getresponse()
            exchange.status = reply.status
            self.send_response(reply.status)
            for name, value in reply.getheaders():
                if name.lower() not in _HOP_HEADERS:
                    self.send_header(name, value)
            # The end of the connection is the end of the body: so a stream passes in the pieces that it comes in.
            self.end_headers()
            while piece := reply.read1():
                # Before it is passed on: whoever has read a reply finds it in the list.
                exchange.reply_content += piece
                self.wfile.write(piece)
