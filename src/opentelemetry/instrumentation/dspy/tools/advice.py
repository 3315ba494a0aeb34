"""What to do about what the SDK, an exporter or a backend says."""

from __future__ import annotations

import difflib
import re
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from ..delivery.destinations import destination_of
from ..delivery.proxies import proxy_of
from .certificates import remedy_for_certificate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["OTLP", "advice_on_delivery", "advice_on_set_up"]

OTLP = 'pip install "opentelemetry-instrumentation-dspy[otlp]"'

_MISSING = re.compile(r"Requested component '(?P<name>[^']*)' not found in entry point '(?P<group>[^']*)'")

_VARIABLES = {
    "opentelemetry_traces_exporter": "OTEL_TRACES_EXPORTER",
    "opentelemetry_metrics_exporter": "OTEL_METRICS_EXPORTER",
    "opentelemetry_logs_exporter": "OTEL_LOGS_EXPORTER",
    "opentelemetry_id_generator": "OTEL_PYTHON_ID_GENERATOR",
    "opentelemetry_traces_sampler": "OTEL_TRACES_SAMPLER",
    "opentelemetry_propagator": "OTEL_PROPAGATORS",
    "opentelemetry_resource_detector": "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
}
"""Of each group of entry points the variable that names one of them."""

_KEY = re.compile(r"\b40[13]\b|UNAUTHENTICATED|PERMISSION_DENIED|Unauthorized|Forbidden")
_NOT_TAKEN = re.compile(r"\b40[45]\b|UNIMPLEMENTED")


def advice_on_set_up(said: str, variables: Mapping[str, str]) -> str:
    """Return what to do about what the SDK raised or logged when it was set up; ``variables`` are the program's."""
    missing = _MISSING.search(said)
    if missing is not None:
        return _advice_on_component(missing["name"], missing["group"])
    if "Header format invalid" in said:
        return "Write OTEL_EXPORTER_OTLP_HEADERS as name=value, with commas between several: authorization=Bearer KEY."
    named = [name for name, value in sorted(variables.items()) if name[:5] == "OTEL_" and _is_in(said, name, value)]
    if not named:
        return "Correct what it names: it is an option of OpenTelemetry's SDK."
    protocol = " It takes grpc or http/protobuf." if named[0].endswith("PROTOCOL") else ""
    return f"Correct {' or '.join(named)}.{protocol}"


def _is_in(said: str, name: str, value: str) -> bool:
    of_value = bool(value) and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", said) is not None
    return name in said or name.removeprefix("OTEL_") in said or of_value


def _advice_on_component(name: str, group: str) -> str:
    variable = _VARIABLES.get(group, "the variable that names it")
    names = sorted({point.name for point in entry_points(group=group)})
    close = difflib.get_close_matches(name, names, n=1)
    if name.startswith("otlp"):
        remedy = f"Correct {variable}, or install the exporter: run {OTLP}."
    elif close:
        remedy = f"Correct {variable}. Did you mean {close[0]}?"
    else:
        remedy = f"Correct {variable}, or install the package that brings {name}."
    return f"{remedy} Installed: {', '.join(names) or 'none'}."


def advice_on_delivery(signal: str, said: str, exporter: Any) -> str:
    """Return what to do about what an exporter said when it could not deliver."""
    destination = destination_of(exporter)
    proxy = None if destination is None else proxy_of(destination)
    if destination is not None and "CERTIFICATE_VERIFY_FAILED" in said:
        return remedy_for_certificate(destination.protocol)
    if proxy is not None and destination is not None and re.search("proxy", said, re.IGNORECASE):
        return f"See the proxy {proxy.address}, or name {destination.host} in no_proxy to do without."
    if _KEY.search(said):
        return (
            "Give the key that the backend asks for, as it names it: OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer "
            "KEY, or another header."
        )
    if _NOT_TAKEN.search(said):
        instead = "" if signal == "traces" else f"If the backend takes no {signal}, set {_none_of(signal)}; else "
        return f"{instead}{'c' if instead else 'C'}orrect the address: this signal is not taken there."
    return "See the endpoints above, and what the backend logs."


def _none_of(signal: str) -> str:
    return f"OTEL_{signal.upper()}_EXPORTER=none"
