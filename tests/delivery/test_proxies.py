"""Which proxy stands between an exporter and its backend: each protocol reads the environment in its own way."""

from __future__ import annotations

import os

import pytest

from opentelemetry.instrumentation.dspy.delivery.destinations import GRPC, HTTP, Destination, Protocol
from opentelemetry.instrumentation.dspy.delivery.proxies import Proxy, proxy_of


def found(protocol: Protocol, *, secure: bool = True, host: str = "backend.example") -> Proxy | None:
    return proxy_of(Destination(protocol, host, 443, "/v1/traces" if protocol == HTTP else "", secure, 0))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_without_a_variable_there_is_none(protocol: Protocol) -> None:
    assert found(protocol) is None


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_http_goes_by_the_scheme(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://joe:word@proxy.example:3128")
    assert found(HTTP) == Proxy("proxy.example", 3128, name)
    assert found(HTTP, secure=False) == (Proxy("proxy.example", 3128, name) if name == "ALL_PROXY" else None)


def test_grpc_goes_by_small_letters_whatever_the_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://large.example:3128")
    assert found(GRPC) is None
    monkeypatch.setenv("http_proxy", "http://small.example:3128")
    assert found(GRPC) == Proxy("small.example", 3128, "http_proxy")
    monkeypatch.setenv("grpc_proxy", "http://own.example")
    assert found(GRPC) == Proxy("own.example", 80, "grpc_proxy")


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
@pytest.mark.parametrize("exceptions", ["backend.example", "localhost, .example"])
def test_a_host_that_is_named_is_reached_without(
    monkeypatch: pytest.MonkeyPatch, protocol: Protocol, exceptions: str
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", exceptions)
    assert found(protocol) is None
    assert found(protocol, host="backend.elsewhere") is not None


@pytest.mark.parametrize("value", ["http://proxy.example:many", "http://"])
def test_what_is_no_address_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("https_proxy", value)
    assert found(GRPC) is None
