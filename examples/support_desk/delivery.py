"""Where the telemetry can be sent, and what of it arrives: what answers at an OTLP endpoint, and what it says.

Over HTTP the program sends to a relay in this process, which passes each request on and reads the receiver's answer:
what a receiver rejects in part, and what arrives at a second try, no exporter tells. Over gRPC the exporters' own words
have to do.
"""

from __future__ import annotations

import http.client
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNALS = ("traces", "metrics", "logs")
PATIENCE = 10
"""Seconds until an endpoint that says nothing counts as one that does not answer."""

ACCEPTED = frozenset({200, 202, 204, 400, 415})
"""What a receiver of a signal answers to a request without anything in it: some find that wrong, but know the path."""

GRPC, HTTP = "grpc", "http/protobuf"
PROTOBUF = "application/x-protobuf"

ANSWERS: dict[str, tuple[Any, str]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
}
"""What a receiver answers to each signal, and the field that says how much it left out."""

LOST = re.compile(r"failed to export|exception while exporting|dropping .*batch", re.IGNORECASE)


@dataclass(frozen=True)
class Receiver:
    """What stands at an endpoint."""

    protocol: str | None = None
    signals: tuple[str, ...] = ()
    """Those that it takes."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """For each of the others, what it said."""


@dataclass
class Deliveries:
    """What became of the requests of one signal."""

    arrived: set[int] = field(default_factory=set)
    """The requests, by their content, that the receiver took in whole."""
    refused: dict[int, str] = field(default_factory=dict)
    """What the receiver said of each of the others, the last time that it was sent."""


def find(endpoint: str, headers: Mapping[str, str], protocol: str = "") -> Receiver:
    """What answers at an endpoint, asked with an empty request for each signal; ``protocol`` is one that was chosen."""
    # At once: whoever waits for the demo to begin waits for one that does not answer, and not for three.
    with ThreadPoolExecutor(len(SIGNALS)) as pool:
        asked = pool.map(lambda signal: _ask(endpoint, f"/v1/{signal}", headers), SIGNALS)
        answers = dict(zip(SIGNALS, asked, strict=True))
    if protocol == GRPC or (not protocol and all(answer == GRPC for answer in answers.values())):
        reachable = any(answer is not None for answer in answers.values())
        return Receiver(GRPC, SIGNALS) if reachable else Receiver(refusals=dict.fromkeys(SIGNALS, "no answer"))
    taken = tuple(signal for signal, answer in answers.items() if answer in ACCEPTED)
    refusals = {signal: _in_words(answer) for signal, answer in answers.items() if signal not in taken}
    return Receiver(HTTP if taken else None, taken, refusals)


def _ask(endpoint: str, path: str, headers: Mapping[str, str]) -> int | str | None:
    """The status of an answer over HTTP, ``grpc`` for one that is no HTTP/1.1, None where there is none."""
    parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    if not parts.hostname:
        return None
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=PATIENCE)
    try:
        connection.request(
            "POST", f"{parts.path.rstrip('/')}{path}", body=b"", headers={"Content-Type": PROTOBUF, **headers}
        )
        answer = connection.getresponse()
        is_page = (answer.headers.get("Content-Type") or "").startswith("text/html")
        return "a web page" if is_page and answer.status < 300 else answer.status
    except (ConnectionRefusedError, TimeoutError):
        return None
    except (http.client.HTTPException, ConnectionError):
        return GRPC
    except OSError:
        return None
    finally:
        connection.close()


def _in_words(answer: int | str | None) -> str:
    if answer is None:
        return "no answer"
    return f"HTTP {answer}" if isinstance(answer, int) else "no HTTP" if answer == GRPC else answer


def headers_of(text: str) -> dict[str, str]:
    """The headers in ``OTEL_EXPORTER_OTLP_HEADERS``: ``name=value`` with commas between."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip(): value.strip() for name, _, value in pairs}


class Relay:
    """Passes OTLP over HTTP on to an endpoint and keeps what it said; a context manager."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._lock = threading.Lock()
        self.deliveries = {signal: Deliveries() for signal in SIGNALS}

    def __enter__(self) -> Relay:
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                relay._pass_on(self)

            def log_message(self, *values: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _pass_on(self, handler: Any) -> None:
        content = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in ("host", "connection")}
        parts = urlsplit(self._endpoint)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE)
        try:
            connection.request("POST", f"{parts.path}{handler.path}", body=content, headers=headers)
            answer = connection.getresponse()
            status, reply = answer.status, answer.read()
            told = {name: value for name in ("Content-Type", "Retry-After") if (value := answer.headers.get(name))}
        except OSError as error:
            status, reply, told = 503, b"", {}
            self._note(handler.path, content, type(error).__name__)
        else:
            self._note(handler.path, content, _refusal(handler.path, status, told.get("Content-Type", ""), reply))
        finally:
            connection.close()
        handler.send_response(status)
        for name, value in {**told, "Content-Length": str(len(reply))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(reply)

    def _note(self, path: str, content: bytes, refusal: str | None) -> None:
        deliveries = self.deliveries[path.rpartition("/")[2]]
        with self._lock:
            if refusal is None:
                deliveries.arrived.add(hash(content))
                deliveries.refused.pop(hash(content), None)
            else:
                deliveries.refused[hash(content)] = refusal


def _refusal(path: str, status: int, content_type: str, reply: bytes) -> str | None:
    """Return why a receiver did not take a request in whole, None where it did."""
    if status >= 300:
        return f"HTTP {status}"
    if content_type.startswith("text/html"):
        return "a web page"
    if not content_type.startswith(PROTOBUF):
        return None
    kind, field_of_rejected = ANSWERS[path.rpartition("/")[2]]
    rejected = getattr(kind.FromString(reply).partial_success, field_of_rejected)
    return f"{rejected} rejected" if rejected else None


def report(endpoint: str, receiver: Receiver, errors: str, relay: Relay | None) -> str:
    """What was delivered, in one line, and what to do about the rest."""
    sent, lost = _by_relay(receiver, relay) if relay is not None else _by_errors(receiver, errors)
    lines = [f"Sent to {endpoint} as well, over {receiver.protocol}: {_listed(sent)}."] if sent else []
    lines += [f"Not all of it arrived at {endpoint}: {signal} ({why})." for signal, why in lost]
    lines += [f"Not sent to {endpoint}: {signal} ({why})." for signal, why in receiver.refusals.items()]
    if not sent:
        lines.append("docs/backends.md has the settings of each backend, and a list for when nothing arrives.")
    return "\n".join(lines)


def _listed(signals: list[str]) -> str:
    return " and ".join([", ".join(signals[:-1]), signals[-1]] if len(signals) > 1 else signals)


def _by_relay(receiver: Receiver, relay: Relay) -> tuple[list[str], list[tuple[str, str]]]:
    sent, lost = [], []
    for signal in receiver.signals:
        deliveries = relay.deliveries[signal]
        if deliveries.refused:
            lost.append((signal, ", ".join(dict.fromkeys(deliveries.refused.values()))))
        elif deliveries.arrived:
            sent.append(signal)
        else:
            lost.append((signal, "nothing was sent"))
    return sent, lost


def _by_errors(receiver: Receiver, errors: str) -> tuple[list[str], list[tuple[str, str]]]:
    # An exporter says the same thing once: after one failure nobody knows of the other signals.
    if any(lost_in(line) for line in errors.splitlines()):
        return [], [(signal, "the exporter's errors are above") for signal in receiver.signals]
    return [*receiver.signals], []


def lost_in(line: str) -> bool:
    """Whether a line of standard error is an exporter's, and says that something was lost for good."""
    return LOST.search(line) is not None
