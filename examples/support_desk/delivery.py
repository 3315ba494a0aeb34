"""Where the telemetry can be sent: what answers at an OTLP endpoint, in which protocol, and for which signals.

Only the standard library is used: this runs before anything of OpenTelemetry does.
"""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNALS = ("traces", "metrics")
PATIENCE = 10
"""Seconds until an endpoint that says nothing counts as one that does not answer."""

ACCEPTED = frozenset({200, 202, 204, 400, 415})
"""What a receiver of a signal answers to a request without anything in it: some find that wrong, but know the path."""

GRPC, HTTP = "grpc", "http/protobuf"

FAILURE = re.compile(r"export", re.IGNORECASE)
TROUBLE = re.compile(r"fail|error|exception|refused|unavailable|timeout|dropp", re.IGNORECASE)


@dataclass(frozen=True)
class Receiver:
    """What stands at an endpoint."""

    protocol: str | None = None
    signals: tuple[str, ...] = ()
    """Those that it takes."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """For each of the others, what it said."""


def find(endpoint: str, headers: Mapping[str, str], protocol: str = "") -> Receiver:
    """What answers at an endpoint, asked with an empty request for each signal; ``protocol`` is one that was chosen."""
    answers = {signal: _ask(endpoint, f"/v1/{signal}", headers) for signal in SIGNALS}
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
        body = {"Content-Type": "application/x-protobuf", **headers}
        connection.request("POST", f"{parts.path.rstrip('/')}{path}", body=b"", headers=body)
        return connection.getresponse().status
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
    return f"HTTP {answer}" if isinstance(answer, int) else "no HTTP"


def headers_of(text: str) -> dict[str, str]:
    """The headers in ``OTEL_EXPORTER_OTLP_HEADERS``: ``name=value`` with commas between."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip(): value.strip() for name, _, value in pairs}


def failed(errors: str) -> set[str]:
    """The signals of which the exporters say, on standard error, that some of it did not arrive."""
    lines = [line.lower() for line in errors.splitlines() if FAILURE.search(line) and TROUBLE.search(line)]
    return {"metrics" if "metric" in line else "traces" for line in lines if "log" not in line.partition("export")[2]}


def report(endpoint: str, receiver: Receiver, errors: str) -> str:
    """What was delivered, in one line, and what to do about the rest."""
    lost = failed(errors)
    # An exporter says the same thing once: after one failure nobody knows of the other signals.
    sent = [] if lost else receiver.signals
    lines = [f"Sent to {endpoint} as well, over {receiver.protocol}: {' and '.join(sent)}."] if sent else []
    if lost:
        lines.append(
            f"Not all of it arrived at {endpoint}: {' and '.join(sorted(lost))}; the exporter's errors are above."
        )
    for signal, why in receiver.refusals.items():
        lines.append(f"Not sent to {endpoint}: {signal} ({why}).")
    if not sent:
        lines.append("docs/backends.md has the settings of each backend, and a list for when nothing arrives.")
    return "\n".join(lines)
