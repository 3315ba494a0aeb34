"""A real HTTP server on loopback that answers every request with one reply body, as some provider documents it.

    with ProviderServer(reply_body("anthropic_messages")) as server:
        dspy.LM("anthropic/claude-sonnet-4-5", api_base=server.url, api_key="test-key", cache=False)("Where?")

The bodies stand in ``tests/provider_replies``: a JSON object for a whole reply, a JSON list for the events of a stream.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopback import ADDRESS, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ProviderRequest", "ProviderServer", "reply_body"]

REPLIES = Path(__file__).parent / "provider_replies"


def reply_body(name: str) -> Any:
    """Read a body from ``tests/provider_replies``."""
    return json.loads((REPLIES / f"{name}.json").read_text())


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A request as it arrived; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class ProviderServer(LoopbackServer):
    """Serves while it is entered as a context manager."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every reply."""
    requests: list[ProviderRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        listener = ThreadingHTTPServer(ADDRESS, _handler(self))
        listener.daemon_threads = True
        LoopbackServer.__init__(self, listener, "provider-server")

    @property
    def url(self) -> str:
        """The base address, without any path."""
        return f"http://{self.host}:{self.port}"


def _handler(owner: ProviderServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One request for each connection: the end of a stream is the end of the connection."""

        def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
            """Tests read the requests, nobody reads a log."""

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            owner.requests.append(ProviderRequest(self.path, headers, json.loads(content)))
            streamed = isinstance(owner.body, list)
            events = "".join(_event(event) for event in owner.body) if streamed else json.dumps(owner.body)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
            for name, value in owner.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(events.encode())))
            self.end_headers()
            self.wfile.write(events.encode())

    return Handler


def _event(event: Any) -> str:
    """A server-sent event; a string is sent as it is, as the ``[DONE]`` of OpenAI's protocol."""
    if isinstance(event, str):
        return f"data: {event}\n\n"
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n"
