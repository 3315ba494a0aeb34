"""What may be wrong with the address of an exporter, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..delivery.destinations import GRPC, HTTP
from .certificates import remedy_for_certificate

if TYPE_CHECKING:
    from ..delivery.destinations import Destination, Flaw
    from ..delivery.proxies import Proxy
    from .protocols import Answer

__all__ = ["OTLP_PATHS", "Wrong", "behind_proxy", "without_proxy"]

OTLP_PATHS = {"traces": "/v1/traces", "metrics": "/v1/metrics", "logs": "/v1/logs"}
"""Of each signal the path that an exporter over HTTP adds to the common endpoint."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with an address, and what to do; where it is not final, the call that follows decides."""

    text: str
    remedy: str
    is_final: bool = True


def behind_proxy(proxy: Proxy, destination: Destination, answer: Answer) -> Wrong:
    """Return what there is to say of an address behind a proxy, which is what has answered."""
    if destination.flaw is not None:
        return _flawed(destination.flaw, destination)
    way = f"it is reached through the proxy {proxy.address}, which {proxy.variable} names"
    if answer.reached == "yes":
        return Wrong(f"{way}, and is not asked here", "See the call below, which takes the same way.", is_final=False)
    return Wrong(
        f"{way}, and nothing listens at the proxy",
        f"Correct {proxy.variable}, or name {destination.host} in no_proxy to do without.",
    )


def without_proxy(signal: str, destination: Destination, answer: Answer, *, is_in_code: bool) -> Wrong | None:
    """Return what is wrong with an address that was asked itself, ``None`` if nothing is."""
    return _unreachable(destination, answer) or _misunderstood(signal, destination, answer, is_in_code=is_in_code)


def _unreachable(destination: Destination, answer: Answer) -> Wrong | None:
    place = f"{destination.host}:{destination.port}"
    if destination.flaw is not None:
        return _flawed(destination.flaw, destination)
    if answer.reached == "unknown host":
        return Wrong(f"{destination.host} is not known here", "Correct the name in OTEL_EXPORTER_OTLP_ENDPOINT.")
    if answer.reached == "refused":
        return Wrong(f"nothing listens at {place}", "Start the backend, or correct OTEL_EXPORTER_OTLP_ENDPOINT.")
    if answer.reached == "no answer":
        return Wrong(f"{place} does not answer", "Look for a firewall, or correct OTEL_EXPORTER_OTLP_ENDPOINT.")
    if answer.reached == "silent":
        return Wrong(
            f"{place} takes connections, and says nothing in time",
            "See whether the backend is well, or ask with a longer --timeout.",
        )
    if not answer.says_anything:
        return Wrong(
            f"{place} takes connections and speaks neither HTTP/1 nor HTTP/2",
            "Another program has that port: name the one where OTLP is taken, usually 4317 or 4318.",
        )
    return None


def _flawed(flaw: Flaw, destination: Destination) -> Wrong:
    place = f"{destination.host}:{destination.port}"
    if flaw == "no scheme":
        return Wrong(
            "the endpoint has no http:// or https:// in front", f"Write http://{place} there, or https://{place}."
        )
    if flaw == "user name over gRPC":
        return Wrong(
            "gRPC takes the user name in the endpoint for a part of the host",
            "Take it out, and give the key as a header, in OTEL_EXPORTER_OTLP_HEADERS.",
        )
    if flaw == "path twice":
        return Wrong(
            "the exporter has added its path to one that had it",
            "Write OTEL_EXPORTER_OTLP_ENDPOINT without it: only an endpoint for one signal has it.",
        )
    return Wrong(
        "the endpoint has a question mark, and the exporter adds its path behind that",
        "Give what stands there as a header, or each signal its whole address: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and "
        "its like.",
    )


def _misunderstood(signal: str, destination: Destination, answer: Answer, *, is_in_code: bool) -> Wrong | None:
    if answer.tls != destination.secure:
        scheme = "https" if answer.tls else "http"
        text = "only TLS is spoken there" if answer.tls else "no TLS is spoken there"
        return Wrong(text, f"Write {scheme}:// in OTEL_EXPORTER_OTLP_ENDPOINT.")
    if destination.protocol == GRPC and not answer.http2:
        return Wrong(
            "HTTP/1 answers there, and no gRPC",
            f"Set OTEL_EXPORTER_OTLP_PROTOCOL={HTTP}, or send to the port of gRPC, usually 4317.",
        )
    if destination.protocol == HTTP and answer.http1 is None:
        return Wrong(
            "gRPC answers there, and no HTTP/1",
            f"Set OTEL_EXPORTER_OTLP_PROTOCOL={GRPC}, or send to the port of OTLP over HTTP, usually 4318.",
        )
    if not answer.trusted:
        # What an exporter that was made in code trusts, it was told there.
        return Wrong(
            "its certificate is not one that is trusted here",
            remedy_for_certificate(destination.protocol),
            is_final=not is_in_code,
        )
    if destination.protocol == HTTP and answer.http1 is not None:
        return _refused(signal, destination, answer, answer.http1)
    return None


def _refused(signal: str, destination: Destination, answer: Answer, status: int) -> Wrong | None:
    if status < 300 and not answer.is_page:
        return None
    if answer.is_page:
        return Wrong("a page for a browser answers there, and no OTLP", "Name the address where OTLP is taken.")
    if status < 400:
        return Wrong(
            f"HTTP answers there with {status}: it leads elsewhere, and exporters do not follow",
            "Name the address where OTLP is taken; a page to log in asks for OTEL_EXPORTER_OTLP_HEADERS. The exporter "
            "counts such an answer as success: what the backend shows is what counts.",
            is_final=not destination.headers,
        )
    if status in (404, 405):
        if not destination.path.endswith(OTLP_PATHS[signal]):
            return Wrong(
                f"HTTP answers there with {status}: OTLP has another path",
                f"An endpoint for one signal, and one in code, is taken as it is, and needs {OTLP_PATHS[signal]} at "
                "its end; OTEL_EXPORTER_OTLP_ENDPOINT gets it added.",
            )
        return Wrong(
            f"HTTP answers there with {status}: this signal is not taken at its path",
            "Correct the address; where a backend takes traces alone, set OTEL_METRICS_EXPORTER=none and "
            "OTEL_LOGS_EXPORTER=none.",
        )
    # Without the exporter's headers, a backend that asks for a key answers so; the call below has them.
    return Wrong(
        f"HTTP answers there, with {status} to a request without headers", "See the call below.", is_final=False
    )
