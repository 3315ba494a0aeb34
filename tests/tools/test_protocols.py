"""What answers at an address is found out from real servers, with TLS and without."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from http.server import HTTPServer
from typing import TYPE_CHECKING

import pytest
from grpc_receiver import GrpcReceiver
from loopback import ADDRESS, LoopbackServer
from otlp_receiver import OtlpReceiver, _Handler

from opentelemetry.instrumentation.dspy.tools.protocols import Answer, ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def asked(port: int, *, secure: bool = False, trust: str | None = None, host: str = "127.0.0.1") -> Answer:
    return ask(host, port, "/v1/nothing", secure=secure, timeout=3.0, trust=trust)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate of this test's own, and its key."""
    files = str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


@pytest.fixture
def secure_port(certificate: tuple[str, str]) -> Iterator[int]:
    """HTTP/1 over TLS."""
    server = HTTPServer(ADDRESS, _Secure)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with LoopbackServer(server, "secure") as listening:
        yield listening.port


class _Secure(_Handler):
    def do_POST(self) -> None:  # noqa: N802 - the name is the base class's
        self._answer(403, b"")


def test_otlp_over_http_is_http1() -> None:
    with OtlpReceiver() as receiver:
        assert asked(receiver.port) == Answer("yes", tls=False, http1=404, http2=False)
        assert asked(receiver.port, secure=True) == Answer("yes", tls=False, http1=404, http2=False)


def test_grpc_is_http2() -> None:
    with GrpcReceiver() as receiver:
        assert asked(receiver.port) == Answer("yes", tls=False, http1=None, http2=True)


def test_tls_is_found_where_it_is_not_asked_for(secure_port: int) -> None:
    assert asked(secure_port) == Answer("yes", tls=True, trusted=False, http1=403, http2=False)


def test_a_certificate_is_trusted_where_it_is_named(secure_port: int, certificate: tuple[str, str]) -> None:
    assert asked(secure_port, secure=True) == Answer("yes", tls=True, trusted=False, http1=403)
    assert asked(secure_port, secure=True, trust=certificate[0]) == Answer("yes", tls=True, trusted=True, http1=403)


def test_a_port_where_nothing_listens_refuses() -> None:
    with socket.socket() as free:
        free.bind(ADDRESS)
        port = free.getsockname()[1]

    assert asked(port) == Answer("refused")


def test_a_name_that_nobody_knows_is_told_apart() -> None:
    assert asked(4318, host="backend.invalid") == Answer("unknown host")


def test_what_speaks_something_else_is_told_apart() -> None:
    def greet() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"220 mail.example ESMTP\r\n")

    with socket.create_server(ADDRESS) as listener:
        greeting = threading.Thread(target=greet)
        greeting.start()
        answer = asked(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    greeting.join()

    assert answer == Answer("yes", http1=None, http2=False)
