"""What is looked at when the first DSPy call is recorded: by then a program has set up whatever takes its telemetry."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import get_logger_provider
from opentelemetry.environment_variables import OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER
from opentelemetry.metrics import get_meter_provider
from opentelemetry.trace import get_tracer_provider

from ..delivery.destinations import destination_of, mismatch_of
from ..delivery.signals import logs_taken_by, metrics_taken_by, spans_taken_by
from .lines import is_told, needless, tell
from .started_by import configurators, has_sdk, is_notebook, is_started_by_command
from .usage import NOBODY_LISTENS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..delivery.signals import Taken

__all__ = ["FirstCall", "remedy_for_no_provider"]

_CONSOLE = "dspy_console"
_OWN = "opentelemetry-instrumentation-dspy"


@dataclass(frozen=True, slots=True)
class FirstCall:
    """The providers that were given to ``instrument()``, ``None`` where the global one is used."""

    tracer_provider: Any = None
    meter_provider: Any = None
    logger_provider: Any = None

    def look(self) -> None:
        """Tell what keeps the telemetry of this process from arriving; never raise."""
        # What is looked at is the SDK's and the application's, and may be anything.
        with contextlib.suppress(Exception):
            spans = spans_taken_by(self.tracer_provider or get_tracer_provider())
            metrics = metrics_taken_by(self.meter_provider or get_meter_provider())
            logs = logs_taken_by(self.logger_provider or get_logger_provider())
            if any(taken.state == "noop" for taken in (spans, metrics)):
                needless(NOBODY_LISTENS)  # Somebody has set the API's empty provider: it is meant.
            if not is_told(NOBODY_LISTENS) and "taken" not in (spans.state, metrics.state, logs.state):
                tell(NOBODY_LISTENS, _nobody_listens(spans))
            else:
                _tell_of_console(spans)
            for signal, taken in (("traces", spans), ("metrics", metrics), ("logs", logs)):
                _tell_of_destinations(signal, taken)


def _nobody_listens(spans: Taken) -> str:
    if spans.state == "disabled":
        return (
            "OTEL_SDK_DISABLED is true: nothing of this program's DSPy calls is recorded. Unset it to record them; if "
            "that is meant, OTEL_INSTRUMENTATION_DSPY_NOTICES=false leaves this line out."
        )
    if spans.state == "sampled out":
        return (
            "the sampler takes no span and no metric is exported, so that nothing of this program's DSPy calls "
            "arrives anywhere. Set another sampler (OTEL_TRACES_SAMPLER, or where the tracer provider is made)."
        )
    if spans.state == "not exported":
        names = {name: os.environ.get(name, "").strip() for name in (OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER)}
        if is_started_by_command() and any(names.values()):
            asked = " and ".join(f"{name}={value}" for name, value in names.items() if value)
            return f"nothing of this program's DSPy calls is exported, since {asked}. Name an exporter, such as otlp."
        return (
            "the tracer provider has no span processor, so that nothing of this program's DSPy calls is exported. "
            "Give it one, such as BatchSpanProcessor(OTLPSpanExporter()), before the first DSPy call."
        )
    remedy = remedy_for_no_provider(os.environ)
    return f"no tracer provider is set, so that nothing of this program's DSPy calls is recorded. {remedy}"


def remedy_for_no_provider(variables: Mapping[str, str]) -> str:
    """Return what to do where no tracer provider is set, given the environment."""
    asked = variables.get(OTEL_TRACES_EXPORTER, "").strip()
    if is_notebook():
        first = "" if has_sdk() else f'Run %pip install "{_OWN}[notebook]", restart the kernel, and then '
        return f"{first}%load_ext opentelemetry.instrumentation.dspy shows each trace below its cell from then on."
    extras = "console,otlp" if _CONSOLE in asked else "otlp"
    if not has_sdk():
        return (
            "The OpenTelemetry SDK is not installed: "
            f'pip install "opentelemetry-instrumentation-dspy[{extras}]"'
            f"{f', without which OTEL_TRACES_EXPORTER={asked} does nothing' if asked else ''}."
        )
    if is_started_by_command() and not configurators():
        return (
            "opentelemetry-instrument has nothing that sets the SDK up: "
            f'pip install opentelemetry-distro, or "opentelemetry-instrumentation-dspy[{extras}]".'
        )
    if is_started_by_command():
        return "opentelemetry-instrument could not set the SDK up: what it logged when the program began says why."
    variable = next((name for name in sorted(variables) if _decides(name)), None)
    return (
        "Start the program with opentelemetry-instrument, or call opentelemetry.trace.set_tracer_provider() before its "
        f"first DSPy call{f'; {variable} alone sets nothing up' if variable else ''}."
    )


def _decides(name: str) -> bool:
    return name.startswith(("OTEL_EXPORTER_OTLP_", "OTEL_TRACES_EXPORTER"))


def _tell_of_console(spans: Taken) -> None:
    asked = os.environ.get(OTEL_TRACES_EXPORTER, "")
    names = [name.strip() for name in asked.split(",")]
    known = {ancestor.__name__ for exporter in spans.exporters for ancestor in type(exporter).__mro__}
    if _CONSOLE in names and spans.state == "taken" and spans.exporters and "DSPyConsoleSpanExporter" not in known:
        tell(
            "console is not there",
            "OTEL_TRACES_EXPORTER names dspy_console, but the tracer provider, which the program has set itself, does "
            "not have it: no trace is printed. Add BatchSpanProcessor(DSPyConsoleSpanExporter()) of "
            "opentelemetry.instrumentation.dspy.console to that provider.",
        )


def _tell_of_destinations(signal: str, taken: Taken) -> None:
    for exporter in taken.exporters:
        destination = destination_of(exporter)
        mismatch = None if destination is None else mismatch_of(signal, destination)
        if mismatch is not None and destination is not None:
            # One line for all signals that go to the same place.
            tell(("destination", destination.protocol, destination.host, destination.port), mismatch)
