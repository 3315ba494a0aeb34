"""The proxy that stands between an OTLP exporter and its backend, where the environment names one."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .destinations import HTTP

if TYPE_CHECKING:
    from .destinations import Destination

__all__ = ["Proxy", "proxy_of"]

_OF_GRPC = ("grpc_proxy", "https_proxy", "http_proxy")
"""What gRPC reads, whatever the scheme; the first that is set is taken. Capitals it does not read."""

_NONE_OF_GRPC = ("no_grpc_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An address, without the user name and the password in it."""

    host: str
    port: int
    variable: str
    """The environment variable that names it."""

    @property
    def address(self) -> str:
        """The address as one writes it."""
        return f"{self.host}:{self.port}"


def proxy_of(destination: Destination) -> Proxy | None:
    """Return the proxy that a destination is reached through, ``None`` where it is reached without one."""
    found = _of_requests(destination) if destination.protocol == HTTP else _of_grpc(destination)
    return None if found is None else _read(*found)


def _of_requests(destination: Destination) -> tuple[str, str] | None:
    """Ask the library that the exporter over HTTP sends by."""
    utils: Any = importlib.import_module("requests.utils")
    chosen = utils.select_proxy(destination.address, utils.get_environ_proxies(destination.address))
    return None if not chosen else (str(chosen), _variable_with(str(chosen)))


def _of_grpc(destination: Destination) -> tuple[str, str] | None:
    value, variable = _first(_OF_GRPC)
    exceptions, _ = _first(_NONE_OF_GRPC)
    ends = [name.strip() for name in exceptions.split(",") if name.strip()]
    return (value, variable) if value and not destination.host.endswith(tuple(ends)) else None


def _first(names: tuple[str, ...]) -> tuple[str, str]:
    return next(((os.environ[name], name) for name in names if os.environ.get(name)), ("", ""))


def _variable_with(value: str) -> str:
    named = [name for name, set_to in sorted(os.environ.items()) if name.lower().endswith("_proxy") and set_to in value]
    return next((name for name in named if os.environ[name]), "the system's settings")


def _read(value: str, variable: str) -> Proxy | None:
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    return None if parts.hostname is None else Proxy(parts.hostname, port, variable)
