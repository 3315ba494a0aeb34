"""Whether what the exporters send to answers, and by the protocol that they speak."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..delivery.destinations import GRPC, HTTP, destination_of
from ..delivery.proxies import proxy_of
from .certificates import certificates_for
from .findings import Section
from .protocols import Answer, ask, is_there
from .wrong_endpoints import OTLP_PATHS, Wrong, behind_proxy, without_proxy

if TYPE_CHECKING:
    from ..delivery.destinations import Destination
    from ..delivery.proxies import Proxy
    from .set_up import SetUp

__all__ = ["Endpoints", "endpoints_found"]


@dataclass(slots=True)
class Endpoints:
    """What was found, and which signals need not be sent since nothing takes them."""

    section: Section
    unreachable: set[str] = field(default_factory=set)


class _Asked:
    """The answers of all addresses, each asked once; where nothing is said at all, whatever the path, under no path."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._answers: dict[tuple[str, int, bool, str], Answer] = {}

    def of(self, signal: str, destination: Destination) -> Answer:
        path = destination.path if destination.protocol == HTTP else OTLP_PATHS[signal]
        host, port, secure = destination.host, destination.port, destination.secure
        known = self._answers.get((host, port, secure, ""), self._answers.get((host, port, secure, path)))
        if known is None:
            trust = certificates_for(signal, destination.protocol)
            known = ask(host, port, path, secure=secure, timeout=self._timeout, trust=trust)
            self._answers[host, port, secure, path if known.says_anything else ""] = known
        return known


def endpoints_found(who: SetUp, timeout: float) -> Endpoints:
    """Ask at the address of every OTLP exporter that is set up."""
    found = Endpoints(Section("endpoints", "Endpoints"))
    asked = _Asked(timeout)
    for signal, taken in who.signals.items():
        for exporter in taken.exporters:
            destination = destination_of(exporter)
            if destination is None:
                text = f"{type(exporter).__name__} sends to no address of OTLP"
                found.section.ok(signal, text, subject=signal)
                continue
            proxy = proxy_of(destination)
            if proxy is not None:
                answer = Answer(is_there(proxy.host, proxy.port, timeout))
                wrong: Wrong | None = behind_proxy(proxy, destination, answer)
            else:
                answer = asked.of(signal, destination)
                wrong = without_proxy(signal, destination, answer, is_in_code=who.is_in_code)
            _add(found, signal, destination, answer, proxy, wrong)
    if not found.section.findings:
        found.section.note("none", "no exporter is set up, so there is no address to ask")
    return found


def _add(
    found: Endpoints,
    signal: str,
    destination: Destination,
    answer: Answer,
    proxy: Proxy | None,
    wrong: Wrong | None,
) -> None:
    headers = f", {destination.headers} header{'s' if destination.headers != 1 else ''}" if destination.headers else ""
    address = destination.address.removesuffix(OTLP_PATHS[signal])
    where = f"{address} by {destination.protocol}{headers}"
    value = {
        "address": destination.address,
        "protocol": destination.protocol,
        "headers": destination.headers,
        "reached": answer.reached,
        "tls": answer.tls,
        "http1_status": answer.http1,
        "http2": answer.http2,
        "proxy": None if proxy is None else proxy.address,
    }
    if wrong is None:
        spoken = "HTTP/2, as gRPC does," if destination.protocol == GRPC else "OTLP over HTTP"
        found.section.ok(signal, f"{where}: {spoken} answers there", value, subject=signal)
    elif wrong.is_final:
        found.unreachable.add(signal)
        found.section.change(signal, f"{where}: {wrong.text}", wrong.remedy, value, subject=signal)
    else:
        found.section.note(signal, f"{where}: {wrong.text}", value, remedy=wrong.remedy, subject=signal)
