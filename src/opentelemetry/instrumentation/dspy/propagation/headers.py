"""The headers that lead a model's server to the call that asks it, for requests that go to a host that was named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.context import get_current
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.propagate import inject

from ..context import current_call
from ..language_models.lm_calls import LM_CALL
from ..retrieving.embedding_calls import EMBEDDING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .hosts import NamedHosts

__all__ = ["Propagation"]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
"""RFC 9110, sections 5.1 and 5.5."""

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Propagation:
    """Whether the trace goes on in servers of models, and in which."""

    hosts: NamedHosts
    on: bool = True
    """Until DSPy is instrumented no longer: what hangs on a client of somebody else's may stay there."""

    def headers(self, scheme: str, host: str, port: int | None, present: Iterable[str]) -> Mapping[str, str]:
        """Return the headers for a request of the call under way; none for a host that was not named.

        ``present``: the names of those that the request has. One that has one of these is left as it is: the program,
        or an instrumentation of its HTTP client, has seen to it.
        """
        if not (self.on and host and is_instrumentation_enabled() and _asks_model()):
            return {}
        if not self.hosts.include(host, port or _PORTS.get(scheme)):
            return {}
        injected: dict[Any, Any] = {}
        inject(injected, get_current())
        # A propagator may be the application's, and a line break in a header fails the request.
        headers = {name: value for name, value in injected.items() if _is_header(name, value)}
        taken = {name.lower() for name in present}
        return {} if any(name.lower() in taken for name in headers) else headers

    def headers_for(self, url: str, present: Iterable[str]) -> Mapping[str, str]:
        """Return the same for a URL; none where it is one that two readers may read as two hosts."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return {}
        if host is None or "@" in parts.netloc or "\\" in url:
            return {}
        return self.headers(parts.scheme, host, port, present)


def _is_header(name: object, value: object) -> bool:
    if not (isinstance(name, str) and isinstance(value, str)):
        return False
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None


def _asks_model() -> bool:
    call = current_call()
    return LM_CALL.of(call) is not None or EMBEDDING.of(call) is not None
