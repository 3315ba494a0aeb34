"""Where an OTLP exporter sends to, and by which protocol: read from the exporter itself, whoever made it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["GRPC", "HTTP", "Destination", "Flaw", "Protocol", "destination_of", "mismatch_of"]

Protocol: TypeAlias = Literal["grpc", "http/protobuf"]
"""The values of ``OTEL_EXPORTER_OTLP_PROTOCOL`` that Python's exporters know."""

GRPC: Protocol = "grpc"
HTTP: Protocol = "http/protobuf"

_MODULES: tuple[tuple[str, Protocol], ...] = (
    ("opentelemetry.exporter.otlp.proto.grpc", GRPC),
    ("opentelemetry.exporter.otlp.proto.http", HTTP),
)

_PORTS: dict[int, Protocol] = {4317: GRPC, 4318: HTTP}
"""The ports that OTLP has in the list of IANA, and what is spoken there."""

Flaw: TypeAlias = Literal["no scheme", "user name over gRPC", "path behind a question mark", "path twice"]
"""What is wrong with an endpoint as it is written: nothing begins with ``http://``, which HTTP needs; gRPC takes what
stands before an ``@`` for a part of the host; the exporter has added its path to a query, or to a path that had one."""

_PATH_TWICE = re.compile(r"/v1/(traces|metrics|logs)(/+)v1/(traces|metrics|logs)/?$")

_OF_THE_EXPORTER = frozenset({"content-encoding", "content-type", "user-agent"})
"""Headers that an exporter sends without being asked to."""


@dataclass(frozen=True, slots=True)
class Destination:
    """An address, without user names and queries in it, and what is spoken to it."""

    protocol: Protocol
    host: str
    port: int
    path: str
    secure: bool
    headers: int
    """How many headers of its own the exporter sends; neither their names nor their values are kept."""
    flaw: Flaw | None = None
    """Why nothing can arrive, whatever listens there."""

    @property
    def address(self) -> str:
        """The address as one writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = self.path if self.protocol == HTTP else ""
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{path}"


def destination_of(exporter: Any) -> Destination | None:
    """Return where an exporter sends to, ``None`` for one that is not OTLP's or does not tell."""
    names = [ancestor.__module__ or "" for ancestor in type(exporter).__mro__]
    protocol = next((known for module, known in _MODULES if any(name.startswith(module) for name in names)), None)
    endpoint = getattr(exporter, "_endpoint", None)
    if protocol is None or not isinstance(endpoint, str) or endpoint.startswith("unix:"):
        return None
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
        secure = parts.scheme == "https" if protocol == HTTP else not getattr(exporter, "_insecure", False)
        port = parts.port or ((443 if secure else 80) if protocol == HTTP else 4317)
    except ValueError:
        return None
    if parts.hostname is None:
        return None
    # The exporter over HTTP keeps them in its client since 1.45.
    headers = getattr(exporter, "_headers", None) or getattr(getattr(exporter, "_client", None), "_headers", None)
    own = [name for name in dict(headers or ()) if name.lower() not in _OF_THE_EXPORTER]
    return Destination(
        protocol, parts.hostname, port, parts.path, secure, len(own), _flaw_in(protocol, endpoint, parts)
    )


def _flaw_in(protocol: Protocol, endpoint: str, parts: SplitResult) -> Flaw | None:
    if protocol == GRPC:
        return "user name over gRPC" if parts.username is not None else None
    if "://" not in endpoint:
        return "no scheme"
    if parts.query.endswith(("/v1/traces", "/v1/metrics", "/v1/logs")):
        return "path behind a question mark"
    return "path twice" if _PATH_TWICE.search(parts.path) else None


def mismatch_of(signal: str, destination: Destination) -> str | None:
    """Return what is wrong with a destination by its port or path alone, and what to do; ``None`` if nothing is."""
    if destination.flaw is not None:
        return f"{signal} go nowhere, since {_of_flaw(destination.flaw, destination)}"
    spoken = _PORTS.get(destination.port)
    if spoken is not None and spoken != destination.protocol:
        other = next(port for port, protocol in _PORTS.items() if protocol == destination.protocol)
        return (
            f"{signal} go to port {destination.port} by {destination.protocol}, but {spoken} is what usually answers "
            f"there, so that nothing may arrive. Set OTEL_EXPORTER_OTLP_PROTOCOL={spoken}, or send to port {other}; an "
            "exporter that is made in code is another class."
        )
    if destination.protocol == HTTP and destination.path in ("", "/"):
        return (
            f"{signal} go to {destination.address}, whose path is empty: OTLP over HTTP is at /v1/{signal}. Add the "
            f"path to the exporter's endpoint; OTEL_EXPORTER_OTLP_ENDPOINT alone gets it added by itself."
        )
    return None


def _of_flaw(flaw: Flaw, destination: Destination) -> str:
    place = f"{destination.host}:{destination.port}"
    if flaw == "no scheme":
        return (
            f"the exporter's endpoint, {place}, has no http:// or https:// in front. Write one there, in "
            "OTEL_EXPORTER_OTLP_ENDPOINT or in code."
        )
    if flaw == "user name over gRPC":
        return (
            f"gRPC takes the user name in front of {place} for a part of the host. Take it out of the endpoint, and "
            "give the key as a header: OTEL_EXPORTER_OTLP_HEADERS."
        )
    if flaw == "path twice":
        return (
            f"the path of {destination.address} ends twice in what the exporter adds by itself. Write "
            "OTEL_EXPORTER_OTLP_ENDPOINT without it."
        )
    return (
        f"the endpoint at {place} has a question mark, and the exporter adds its path behind that. Give what stands "
        "there as a header, or give each signal its whole address: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and its like."
    )
