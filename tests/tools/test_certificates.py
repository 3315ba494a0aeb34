"""Which certificates an exporter trusts, and what to do about one that it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from opentelemetry.instrumentation.dspy.tools.certificates import certificates_for, remedy_for_certificate

VARIABLES = (
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_each_protocol_has_a_list_of_its_own() -> None:
    certifi, grpc = certificates_for("traces", "http/protobuf"), certificates_for("traces", "grpc")

    assert certifi is not None
    assert grpc is not None
    assert certifi != grpc
    assert "BEGIN CERTIFICATE" in Path(certifi).read_text()
    assert "BEGIN CERTIFICATE" in Path(grpc).read_text()


def test_options_of_one_signal_go_before_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "all.pem")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "traces.pem")

    assert [certificates_for(signal, "grpc") for signal in ("traces", "metrics")] == ["traces.pem", "all.pem"]


@pytest.mark.parametrize("before", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_what_goes_before_the_option_over_http_is_named(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "own.pem")
    monkeypatch.setenv(before, "company.pem")

    assert certificates_for("traces", "http/protobuf") == "company.pem"
    assert certificates_for("traces", "grpc") == "own.pem"
    assert remedy_for_certificate("http/protobuf").startswith(f"{before} is set, and goes before OTEL_EXPORTER_OTLP_")
    assert remedy_for_certificate("grpc").startswith("Name the certificate of its authority in OTEL_EXPORTER_OTLP_")
