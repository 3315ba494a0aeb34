"""Which protocols answer at an address: HTTP/1, HTTP/2 and TLS are asked for, each on a connection of its own.

Nothing of the program's is sent: an empty export request over HTTP/1, and the opening of HTTP/2, without headers of the
exporter's.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Answer", "Reached", "ask", "is_there"]

Reached: TypeAlias = Literal["yes", "unknown host", "refused", "no answer", "silent"]
"""``no answer``: nothing takes the connection; ``silent``: something does, and says nothing in time."""

_OPENING_OF_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""The client's preface of RFC 9113, section 3.4, with an empty SETTINGS frame."""

_SETTINGS = 4
_HEADERS = {"Content-Type": "application/x-protobuf"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address speaks."""

    reached: Reached
    tls: bool = False
    trusted: bool = True
    """Whether the certificate is one that this machine trusts; true without TLS."""
    http1: int | None = None
    """The status that an empty export request got; ``None`` where HTTP/1 does not answer."""
    http2: bool = False
    is_page: bool = False
    """Whether what HTTP/1 answers with success is a page for a browser."""

    @property
    def says_anything(self) -> bool:
        """Whether there is one of the protocols that exporters speak, whatever the path."""
        return self.http2 or self.http1 is not None


def ask(host: str, port: int, path: str, *, secure: bool, timeout: float, trust: str | None = None) -> Answer:
    """Return what answers at an address; first as the exporter would ask (``secure``: with TLS), then the other way.

    ``timeout`` is in seconds, for each connection; ``trust`` is a file with certificates to trust.
    """
    reached = is_there(host, port, timeout)
    if reached != "yes":
        return Answer(reached)
    is_silent = True
    for tls in (secure, not secure):
        if tls and not _shakes_hands(host, port, timeout):
            continue
        http2 = _speaks_http2(host, port, timeout, tls=tls)
        status, is_page = _answer_of_http1(host, port, path, timeout, tls=tls)
        if http2 or status is not None:
            trusted = not tls or _shakes_hands(host, port, timeout, trust)
            return Answer("yes", tls, trusted, status, bool(http2), is_page)
        is_silent = is_silent and http2 is None
    return Answer("silent" if is_silent else "yes")


def is_there(host: str, port: int, timeout: float) -> Reached:
    """Return whether something takes a connection."""
    try:
        socket.create_connection((host, port), timeout).close()
    except socket.gaierror:
        return "unknown host"
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "no answer"
    return "yes"


def _unchecked(*protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


_ANY = ""
"""In the place of a file of certificates: whatever certificate there is."""


def _shakes_hands(host: str, port: int, timeout: float, trust: str | None = _ANY) -> bool:
    """Return whether TLS is spoken there, with a certificate that is trusted; ``None`` are those of the machine."""
    try:
        context = _unchecked() if trust == _ANY else ssl.create_default_context(cafile=trust)
        with (
            socket.create_connection((host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except (OSError, ValueError):
        return False


def _speaks_http2(host: str, port: int, timeout: float, *, tls: bool) -> bool | None:
    """Return whether a server answers the opening of HTTP/2 with its SETTINGS, as every server of gRPC does.

    ``None`` where it says nothing in time.
    """
    try:
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection((host, port), timeout))
            if tls:
                connection = stack.enter_context(_unchecked("h2").wrap_socket(connection, server_hostname=host))
            connection.sendall(_OPENING_OF_HTTP2)
            answer = b""
            while len(answer) < 9:
                part = connection.recv(9 - len(answer))
                if not part:
                    return False
                answer += part
            return answer[3] == _SETTINGS and not answer.startswith(b"HTTP/")
    except TimeoutError:
        return None
    except (OSError, ValueError):
        return False


def _answer_of_http1(host: str, port: int, path: str, timeout: float, *, tls: bool) -> tuple[int | None, bool]:
    """Return the status of an empty export request, and whether a page for a browser is what came."""
    connection = (
        http.client.HTTPSConnection(host, port, timeout=timeout, context=_unchecked("http/1.1"))
        if tls
        else http.client.HTTPConnection(host, port, timeout=timeout)
    )
    try:
        connection.request("POST", path, b"", _HEADERS)
        response = connection.getresponse()
        text = response.read(1024)
    except (OSError, http.client.HTTPException, ValueError):
        return None, False
    finally:
        connection.close()
    # What servers of Go and nginx say to whoever comes without TLS.
    is_told_off = response.status == 400 and b"HTTP" in text and b"HTTPS" in text.upper()
    if is_told_off and not tls:
        return None, False
    return response.status, response.status < 300 and response.headers.get_content_type() == "text/html"
