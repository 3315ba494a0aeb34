"""What is looked at when the first DSPy call is recorded: by then a program has set up whatever takes its telemetry."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import get_logger_provider
from opentelemetry.environment_variables import OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER
from opentelemetry.metrics import get_meter_provider
from opentelemetry.trace import get_current_span, get_tracer_provider
from opentelemetry.util.genai.environment_variables import (
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT,
    OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK,
    OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT,
)

from ..config import CONSOLE, NOTICES, OPTIONS
from ..delivery.destinations import destination_of, mismatch_of
from ..delivery.signals import logs_taken_by, metrics_taken_by, spans_taken_by
from ..instrument_calls import variables_of_program
from .lines import is_told, needless, tell
from .log_lines import is_silenced, show_warnings
from .started_by import configurators, has_sdk, is_notebook, is_started_by_command
from .usage import NOBODY_LISTENS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..delivery.signals import Taken

__all__ = ["LATE_OPTIONS", "FirstCall", "remedy_for_no_provider", "why_no_events"]

LATE_OPTIONS = "options set late"
"""The kind of the notice that an option was not there when it was read."""

_CAPTURE = OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT
_CONSOLE = "dspy_console"
_OWN = "opentelemetry-instrumentation-dspy"

_READ_ONCE = (*(name for name in OPTIONS if name not in (CONSOLE, NOTICES)), _CAPTURE)
"""The options that `instrument()` reads; of the others one is the exporter's, and one is looked at with each notice."""


@dataclass(frozen=True, slots=True)
class FirstCall:
    """What was given to ``instrument()``: providers, ``None`` where the global one is used, and a completion hook."""

    tracer_provider: Any = None
    meter_provider: Any = None
    logger_provider: Any = None
    completion_hook: Any = None
    variables: Mapping[str, str] | None = None
    """The ``OTEL_*`` variables of the program by then."""

    def look(self) -> None:
        """Tell what keeps the telemetry of this process from arriving; never raise."""
        # What is looked at is the SDK's and the application's, and may be anything.
        with contextlib.suppress(Exception):
            show_warnings()
            spans = spans_taken_by(self.tracer_provider or get_tracer_provider())
            metrics = metrics_taken_by(self.meter_provider or get_meter_provider())
            logs = logs_taken_by(self.logger_provider or get_logger_provider())
            if any(taken.state == "noop" for taken in (spans, metrics)):
                needless(NOBODY_LISTENS)  # Somebody has set the API's empty provider: it is meant.
            if not is_told(NOBODY_LISTENS) and not _is_heard(spans, metrics, logs):
                tell(NOBODY_LISTENS, _nobody_listens(spans))
            else:
                _tell_of_console(spans)
                self._tell_of_content(logs)
            self._tell_of_late_options()
            _tell_of_silent_exporters(*spans.exporters, *metrics.exporters, *logs.exporters)
            for signal, taken in (("traces", spans), ("metrics", metrics), ("logs", logs)):
                _tell_of_destinations(signal, taken)

    def _tell_of_content(self, logs: Taken) -> None:
        """Tell of content that is to go to log events alone, and that no hook gets either, where there are none."""
        mode = (self.variables or {}).get(_CAPTURE, "").strip().upper()
        if mode != "EVENT_ONLY" or self.completion_hook or os.environ.get(OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK):
            return
        why = why_no_events(logs, os.environ)
        if why is not None:
            tell(
                "content on no event",
                f"{_CAPTURE} is EVENT_ONLY, and {why}: prompts and replies are recorded nowhere. Change that, or set "
                f"{_CAPTURE}=SPAN_ONLY.",
            )

    def _tell_of_late_options(self) -> None:
        """Tell of options that were set too late; nobody has to be told of one that was taken away since."""
        if self.variables is None:
            return
        late = [
            name
            for name, value in sorted(variables_of_program().items())
            if name in _READ_ONCE and self.variables.get(name) != value
        ]
        if late:
            tell(
                LATE_OPTIONS,
                f"{' and '.join(late)}: set after DSPy was instrumented, and so without effect. instrument() reads the "
                "environment: set it before, or call uninstrument() and instrument() again.",
            )


def _is_heard(spans: Taken, metrics: Taken, logs: Taken) -> bool:
    is_begun_here = not get_current_span().get_span_context().is_valid
    takes_spans = spans.state == "taken" and not (spans.begins_no_trace and is_begun_here)
    return takes_spans or "taken" in (metrics.state, logs.state)


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
    if spans.state == "taken":  # and begins no trace
        return (
            "the sampler takes no trace that begins in this program and no metric is exported, so that nothing of its "
            "DSPy calls arrives anywhere, but those below a span that another process has sampled. Set another sampler "
            "(OTEL_TRACES_SAMPLER, or where the tracer provider is made)."
        )
    if spans.state == "shut down":
        return (
            "the tracer provider was shut down before this program's first DSPy call, so that nothing of its "
            "calls is exported. Call shutdown() after the last one."
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


def why_no_events(logs: Taken, variables: Mapping[str, str]) -> str | None:
    """Return why no log event brings content anywhere, ``None`` where they do."""
    if logs.state != "taken":
        return "no log record is exported (OTEL_LOGS_EXPORTER, or a logger provider that is set in code)"
    emits = variables.get(OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT, "").strip().lower() != "false"
    return None if emits else f"{OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT} is false"


def _tell_of_silent_exporters(*exporters: Any) -> None:
    silent = sorted({type(exporter).__name__ for exporter in exporters if is_silenced(exporter)})
    if silent:
        tell(
            "exporters are silenced",
            f"this program's logging set-up has disabled the loggers of {' and '.join(silent)}, so that failures to "
            "send are told nowhere. Set disable_existing_loggers to False in what logging.config is given.",
        )


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
