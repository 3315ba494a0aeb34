"""Who sets telemetry up here, and what came of it: the command that started us, a function, or the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import get_logger_provider
from opentelemetry.instrumentation.auto_instrumentation import initialize
from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISABLED_INSTRUMENTATIONS
from opentelemetry.metrics import get_meter_provider
from opentelemetry.trace import get_tracer_provider

from ..delivery.signals import Taken, logs_taken_by, metrics_taken_by, spans_taken_by
from ..notices.log_lines import handlers_elsewhere, is_silenced
from ..notices.started_by import configurators, has_sdk, is_left_out, is_started_by_command
from .advice import OTLP, advice_on_set_up
from .findings import Section
from .signals_found import add_signals
from .versions_found import dspy_is_supported

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .heard import HeardLog

__all__ = ["SetUp", "set_up"]


@dataclass(frozen=True, slots=True)
class SetUp:
    """What takes each signal now."""

    section: Section
    signals: Mapping[str, Taken]
    providers: Mapping[str, Any]
    """Of each signal: what ``instrument()`` was given, else the global one."""

    @property
    def is_in_code(self) -> bool:
        """Whether a function of the program has done it."""
        return bool(self.section.findings[0].value == "function")


def set_up(by: str | None, variables: Mapping[str, str], heard: HeardLog) -> SetUp:
    """Set telemetry up unless it is, and return what there is to say of it."""
    section = Section("setup", "Set-up")
    if by is not None:
        _by_function(section, by)
    elif spans_taken_by(get_tracer_provider()).state != "unset":
        _by_others(section)
    elif not has_sdk():
        section.change("by", "nobody can set a provider: the OpenTelemetry SDK is not installed", f"Run {OTLP}.")
    else:
        _by_environment(section, variables)
    _add_log(section, variables, heard)
    _add_distros(section)
    providers = _providers()
    signals = {
        "traces": spans_taken_by(providers["traces"]),
        "metrics": metrics_taken_by(providers["metrics"]),
        "logs": logs_taken_by(providers["logs"]),
    }
    if has_sdk():
        add_signals(section, signals)
    _add_instrumentor(section, variables)
    _add_log_of_exporters(section, signals.values())
    return SetUp(section, signals, providers)


def _providers() -> dict[str, Any]:
    from .. import DSPyInstrumentor  # Here: the whole library, which need not come in for versions.

    called = DSPyInstrumentor()._called_with
    given = called.arguments if called is not None else {}
    return {
        "traces": given.get("tracer_provider") or get_tracer_provider(),
        "metrics": given.get("meter_provider") or get_meter_provider(),
        "logs": given.get("logger_provider") or get_logger_provider(),
    }


def _add_log(section: Section, variables: Mapping[str, str], heard: HeardLog) -> None:
    """Add what the SDK and the exporters logged, once for each thing to do."""
    told, remedies = section.findings[0].text.partition(": ")[2], set()
    for line in heard.take(
        "opentelemetry.sdk", "opentelemetry.instrumentation.auto", "opentelemetry.exporter", "opentelemetry.util.re"
    ):
        remedy = advice_on_set_up(line, variables)
        is_said_above = "only instruments" in line and not dspy_is_supported()
        what = remedy.partition(".")[0]
        if is_said_above or what in remedies or (told and line.endswith(told)):
            continue
        remedies.add(what)
        section.change("log", f"the SDK says: {line}", remedy)


def _by_function(section: Section, name: str) -> None:
    try:
        resolve_name(name)()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the program's function does
        section.change(
            "by",
            f"{name} failed: {type(error).__name__}: {error}",
            "Name a function that sets the providers up and takes no arguments.",
        )
    else:
        section.ok("by", f"the providers are those that {name} has set", "function")


def _by_others(section: Section) -> None:
    if is_started_by_command():
        section.ok("by", "the providers are those that opentelemetry-instrument has set", "opentelemetry-instrument")
    else:
        section.ok("by", "a provider was set before this command began", "other")


def _by_environment(section: Section, variables: Mapping[str, str]) -> None:
    if is_started_by_command():
        section.change(
            "by",
            "opentelemetry-instrument has set no provider",
            f"Run {OTLP}." if not configurators() else "See what the SDK says, here or when the program begins.",
            "opentelemetry-instrument",
        )
        return
    try:
        initialize(swallow_exceptions=False)
    except Exception as error:  # noqa: BLE001 - exporters of any package, with whatever the environment tells them
        section.change(
            "by", f"OTEL_* cannot be set up: {type(error).__name__}: {error}", advice_on_set_up(str(error), variables)
        )
        return
    if spans_taken_by(get_tracer_provider()).state == "unset":
        section.change(
            "by",
            "OTEL_* variables set nothing up here: there is no package that reads them",
            f"Run {OTLP}, which brings opentelemetry-distro; or, if the program sets its providers up in code, name "
            "that function: dspy-telemetry doctor --setup package.module:function.",
        )
        return
    section.ok(
        "by",
        "this command has set the providers that OTEL_* variables ask for, as opentelemetry-instrument would; a "
        "program that sets them up in code is seen with --setup package.module:function",
        "environment",
    )


def _add_distros(section: Section) -> None:
    distros = [point.name for point in entry_points(group="opentelemetry_distro")]
    chosen = os.environ.get("OTEL_PYTHON_DISTRO")
    if len(distros) > 1 and chosen is None:
        section.note(
            "distro",
            f"there are several distros, of which the first is taken: {', '.join(distros)}",
            distros,
            remedy="OTEL_PYTHON_DISTRO and OTEL_PYTHON_CONFIGURATOR choose one.",
        )
    elif distros:
        section.ok("distro", f"distro: {chosen or distros[0]}", chosen or distros[0])


def _add_log_of_exporters(section: Section, signals: Iterable[Taken]) -> None:
    """Add why failures to send are told where nobody looks who starts the program."""
    if any(is_silenced(exporter) for taken in signals for exporter in taken.exporters):
        section.note(
            "log_disabled",
            "what exporters log of their failures is told nowhere: the logging set-up has disabled their loggers",
            remedy="Set disable_existing_loggers to False in what logging.config is given.",
        )
        return
    handlers = handlers_elsewhere()
    names = sorted({type(handler).__name__ for handler in handlers})
    if not handlers:
        return
    is_ours = any(type(handler).__module__.startswith("opentelemetry") for handler in handlers)
    section.note(
        "log_handlers",
        f"what exporters log of their failures is not shown on standard error: it goes to {', '.join(names)} alone, "
        "unless the program sets up its log in another way",
        names,
        remedy="Set OTEL_PYTHON_LOG_CORRELATION=true, or call logging.basicConfig() in the program."
        if is_ours
        else "Give the root logger a handler that writes to standard error.",
    )


def _add_instrumentor(section: Section, variables: Mapping[str, str]) -> None:
    from .. import DSPyInstrumentor  # Here: the whole library, which need not come in for versions.

    if DSPyInstrumentor().is_instrumented_by_opentelemetry:
        section.ok("instrumented", "DSPy is instrumented", True)
        return
    if is_left_out(variables):
        section.change(
            "instrumented",
            f"DSPy is not instrumented: {OTEL_PYTHON_DISABLED_INSTRUMENTATIONS} leaves it out",
            "Take dspy out of that variable.",
            False,
        )
    elif dspy_is_supported() and section.findings and section.findings[0].value == "function":
        section.change(
            "instrumented",
            "DSPy is not instrumented by that function",
            "Call DSPyInstrumentor().instrument() in it.",
            False,
        )
    elif section.findings[0].status == "change":
        section.note("instrumented", "DSPy is not instrumented, for that reason", False)
    elif dspy_is_supported():
        section.change(
            "instrumented",
            "DSPy is not instrumented",
            "Start the program with opentelemetry-instrument, or call DSPyInstrumentor().instrument().",
            False,
        )
