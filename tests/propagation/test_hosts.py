"""A host is told of the trace if it was named, in whatever spelling, and no other host is."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from opentelemetry.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.instrumentation.dspy.config import Options
from opentelemetry.instrumentation.dspy.propagation.hosts import hosts_of

NAME = "OTEL_INSTRUMENTATION_DSPY_PROPAGATE"


def hosts(text: str) -> Any:
    return Options.read(environment={NAME: text}).propagate


@pytest.mark.parametrize(
    ("named", "host", "port"),
    [
        ("vllm.internal", "vllm.internal", 8000),
        ("vllm.internal", "VLLM.Internal.", 443),
        ("VLLM.INTERNAL.", "vllm.internal", 8000),
        (" a.example , vllm ", "vllm", 80),
        ("vllm:8000", "vllm", 8000),
        ("api.example:443", "api.example", 443),
        ("10.0.0.5", "10.0.0.5", 8000),
        ("10.0.0.5:8000", "10.0.0.5", 8000),
        ("::1", "::1", 8000),
        ("[::1]", "::1", 8000),
        ("[::1]:8000", "::1", 8000),
        ("[2001:DB8:0:0::7]:8000", "2001:db8::7", 8000),
        ("2001:db8::7", "2001:0db8:0000:0000:0000:0000:0000:0007", 80),
        ("bücher.example", "xn--bcher-kva.example", 443),
        ("true", "localhost", 8000),
        ("true", "127.0.0.1", 8000),
        ("TRUE", "127.7.7.7", 8000),
        ("true", "0.0.0.0", 8000),
        ("true", "10.1.2.3", 443),
        ("true", "172.31.0.1", 443),
        ("true", "192.168.1.1", 443),
        ("true", "::1", 443),
        ("true", "::ffff:127.0.0.1", 443),
        ("true", "fd00::5", 443),
        ("true,gateway.example", "gateway.example", 443),
        ("gateway.example,true", "127.0.0.1", 443),
    ],
)
def test_a_named_host_is_told(named: str, host: str, port: int) -> None:
    assert hosts(named)
    assert hosts(named).include(host, port)


@pytest.mark.parametrize(
    ("named", "host", "port"),
    [
        ("", "127.0.0.1", 80),
        ("false", "127.0.0.1", 80),
        ("example.com", "api.example.com", 443),
        ("api.example.com", "example.com", 443),
        ("example.com", "example.com.evil.org", 443),
        ("example.com", "notexample.com", 443),
        ("vllm:8000", "vllm", 8001),
        ("vllm:8000", "vllm", None),
        ("[::1]:8000", "::1", 8001),
        ("10.0.0.5", "10.0.0.50", 80),
        ("true", "api.openai.com", 443),
        ("true", "localhost.evil.org", 443),
        ("true", "127.0.0.1.evil.org", 443),
        ("true", "vllm.internal", 443),
        ("true", "172.32.0.1", 443),
        ("true", "192.169.0.1", 443),
        ("true", "169.254.169.254", 80),
        ("true", "8.8.8.8", 443),
        ("true", "fe80::1", 443),
        ("true", "2130706433", 443),
        ("true", "", 443),
        ("a.example,b.example", "c.example", 443),
    ],
)
def test_another_host_is_not_told(named: str, host: str, port: int | None) -> None:
    assert not hosts(named).include(host, port)


@pytest.mark.complaints
@pytest.mark.parametrize(
    "entry",
    [
        "*.example.com",
        "https://vllm.internal",
        "vllm.internal/v1",
        "user@vllm",
        "vllm:http",
        "vllm:0",
        "vllm:65536",
        "vllm:",
        "a b",
        "yes",
        "1",
        "10.0.0",
        "10.0.0.5.6",
        "0x7f000001",
        "[::1",
        "[vllm]",
        "::g",
        "-vllm",
        ".example.com",
        "exa..mple",
        "\ud800.example",
        "straße.example",  # another host to each of two standards
        "\uff56llm.internal",
    ],
)
def test_an_entry_that_is_no_host_is_told_and_the_others_are_used(entry: str, caplog: pytest.LogCaptureFixture) -> None:
    named = hosts(f"first.example,{entry},last.example")
    assert named.named == {("first.example", None), ("last.example", None)}
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"{NAME}: '")
    assert "is not valid: it takes host names, such as vllm.internal or 10.0.0.5:8000" in record.getMessage()
    with pytest.raises(TypeError, match=r"^propagate='.*' is not valid: it takes host names"):
        DSPyInstrumentor().instrument(propagate=entry)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (True, [("127.0.0.1", True), ("api.openai.com", False)]),
        (False, [("127.0.0.1", False)]),
        ("vllm, b.example:8000", [("vllm", True), ("b.example", True), ("127.0.0.1", False)]),
        (["vllm"], [("vllm", True), ("b.example", False)]),
        ({"true"}, [("127.0.0.1", True)]),
        ((), [("127.0.0.1", False)]),
    ],
)
def test_an_argument_goes_before_the_environment(given: Any, expected: list[tuple[str, bool]]) -> None:
    named = Options.read(propagate=given, environment={NAME: "api.openai.com"}).propagate
    assert [(host, named.include(host, 8000)) for host, _ in expected] == expected


@pytest.mark.parametrize("given", [1, 1.5, b"vllm", {"vllm": 1}, [1], object()])
def test_an_argument_of_a_wrong_type_is_an_error(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^propagate= takes host names, or True, not "):
        DSPyInstrumentor().instrument(propagate=given)


def test_nothing_is_named_by_default() -> None:
    assert not Options.read(environment={}).propagate
    assert not hosts_of("")[0]
