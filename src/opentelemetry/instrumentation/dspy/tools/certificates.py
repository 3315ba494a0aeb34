"""The certificates that an OTLP exporter trusts: each library that sends has a list of its own."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from ..delivery.destinations import HTTP, Protocol

__all__ = ["certificates_for", "remedy_for_certificate"]

_OF_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What goes before all else with the library that the exporter over HTTP sends by."""


def certificates_for(signal: str, protocol: Protocol) -> str | None:
    """Return the file with the certificates that an exporter trusts, ``None`` for those of the machine."""
    options = [f"OTEL_EXPORTER_OTLP_{signal.upper()}_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"]
    if protocol == HTTP:
        return _first(*_OF_REQUESTS, *options) or _file_of("certifi", "cacert.pem")
    return _first(*options, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH") or _file_of("grpc", "_cython/_credentials/roots.pem")


def remedy_for_certificate(protocol: Protocol) -> str:
    """Return what to do about a certificate that is not trusted."""
    before = next((name for name in _OF_REQUESTS if os.environ.get(name)), None) if protocol == HTTP else None
    if before is not None:
        return (
            f"{before} is set, and goes before OTEL_EXPORTER_OTLP_CERTIFICATE: add the certificate of its authority to "
            f"the file that {before} names."
        )
    return "Name the certificate of its authority in OTEL_EXPORTER_OTLP_CERTIFICATE."


def _first(*names: str) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _file_of(package: str, name: str) -> str | None:
    try:
        module: Any = importlib.import_module(package)
    except ImportError:
        return None
    file = Path(module.__file__).parent / name
    return str(file) if file.is_file() else None
