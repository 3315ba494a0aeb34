"""OpenTelemetry instrumentation for DSPy.

Every call of a DSPy program becomes one trace: its modules, adapters and language model calls, in the OpenTelemetry
GenAI conventions, with exact tokens, cost and cache hits, added up for every module.

    from opentelemetry.instrumentation.dspy import DSPyInstrumentor

    DSPyInstrumentor().instrument()

or, without a change to the program, ``opentelemetry-instrument python app.py``.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from opentelemetry.trace import get_tracer_provider
from wrapt import register_post_import_hook

from .application import telemetry_context, usage_scope
from .arguments import check_arguments
from .budgets.enforcement import count_exceeded_with
from .budgets.opening import let_bounds_be_kept
from .budgets.process import bound_process, leave_process_unbounded
from .budgets.stop import BudgetExceededError, BudgetStop
from .config import Options
from .feedback import record_feedback, send_feedback_to
from .instrument_calls import InstrumentCall, variables_of_program
from .labels.baggage import Baggage
from .language_models.own_prices import PricedCall
from .notices.first_call import FirstCall
from .notices.forked_processes import watch_for_lost_spans
from .notices.log_lines import show_warnings, tell_of_conflict
from .notices.processes import is_run_by_import, watch_for_processes
from .notices.usage import note_instrumented
from .openinference import OpenInferenceMirror
from .package import _instruments
from .peers import warn_of_peers
from .processes import incoming_context, outgoing_context
from .programs.predictions import span_context_of, trace_id_of
from .projections import Projection
from .propagation.headers import Propagation
from .propagation.requests import ClientHooks
from .recent_traces import show_trace
from .redaction import Redaction
from .seams import (
    executed_tool_calls,
    interpreter_finders,
    litellm_requests,
    litellm_views,
    mcp_sessions,
    native_requests,
    prediction_copies,
    seams,
    thread_pools,
)
from .telemetry import Telemetry
from .tracers import CallTracerProvider
from .usage import UsageScope
from .usage_sums import Usage
from .version import __version__
from .wrapping.patching import Patcher

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from opentelemetry.trace import TracerProvider

_logger = logging.getLogger(__name__)

__all__ = [
    "BudgetExceededError",
    "BudgetStop",
    "DSPyInstrumentor",
    "PricedCall",
    "Projection",
    "Usage",
    "UsageScope",
    "__version__",
    "incoming_context",
    "outgoing_context",
    "record_feedback",
    "show_trace",
    "span_context_of",
    "telemetry_context",
    "trace_id_of",
    "usage_scope",
]


class DSPyInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Switches the instrumentation of DSPy on and off; there is one in a process, whoever asks for it.

    ``instrument()`` takes ``tracer_provider``, ``meter_provider``, ``logger_provider`` (default: the global ones),
    ``completion_hook`` (a hook of ``opentelemetry-util-genai``), ``redact`` (a function that is given each text and its
    kind, and returns what may be recorded of it), ``openinference`` (whether spans also say what they tell in the
    words of OpenInference, for Phoenix, Arize and MLflow), ``propagate`` (hosts of models that are told of the trace,
    or ``True`` for this machine and private addresses) and ``prices`` (a function that is given a ``PricedCall`` and
    returns US dollars, or the path of a file of prices). By default the environment decides of the last three. An
    unsupported DSPy, or none, is logged, and nothing is done.
    ``uninstrument()`` leaves every class of DSPy and of the application as it was.
    """

    _patcher: Patcher | None = None
    _redaction: Redaction | None = None
    _called_with: InstrumentCall | None = None
    # IPython's %reload_ext runs this file a second time: there is one in the process all the same.
    _instance = getattr(globals().get("DSPyInstrumentor"), "_instance", None)
    _hooks: ClientHooks | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the DSPy versions that this library instruments."""
        return _instruments

    def instrument(self, **kwargs: Any) -> None:
        """Instrument DSPy, now or when the application imports it.

        Where it is instrumented already, by ``opentelemetry-instrument`` for instance, ``redact`` takes effect at once
        and everything else that is given has none, which is logged. Raises ``TypeError`` for an argument that there is
        not, or of a wrong type, and ``ValueError`` for a file of prices that is none; nothing is instrumented then.
        """
        check_arguments(kwargs)
        show_warnings()
        with _lock:
            if self.is_instrumented_by_opentelemetry and self._redaction is not None:
                self._take_over(kwargs)
                return
            super().instrument(**kwargs)
            patcher = self._patcher
        if not self.is_instrumented_by_opentelemetry:
            tell_of_conflict(self._check_dependency_conflicts())
        elif not is_run_by_import(sys._getframe(1)):
            watch_for_processes(lambda: self.is_instrumented_by_opentelemetry)
        if patcher is not None and self.is_instrumented_by_opentelemetry:
            # DSPy and LiteLLM read the environment when they are imported, and take their time: the application
            # imports them when it wants to, and they are instrumented then. Not under the lock: who imports DSPy in
            # another thread holds one of Python's.
            register_post_import_hook(lambda dspy: patcher.run(), "dspy")

    def uninstrument(self, **kwargs: Any) -> None:
        """Leave every class of DSPy and of the application as it was."""
        with _lock:
            super().uninstrument(**kwargs)

    def _take_over(self, given: Mapping[str, Any]) -> None:
        redact = given.get("redact")
        if redact is not None and self._redaction is not None:
            self._redaction.take_over(redact)
        others = sorted(name for name, value in given.items() if name != "redact" and value is not None)
        if others:
            _logger.warning(
                "DSPy is instrumented already: %s%s had no effect. Call uninstrument() first to instrument it in "
                "another way.",
                "" if redact is None else "redact is in force from now on, and ",
                ", ".join(others),
            )
        elif redact is None:
            super().instrument()  # which says that it does nothing

    def _instrument(self, **kwargs: Any) -> None:
        self._called_with = InstrumentCall.of(kwargs)
        options = Options.read(
            redact=kwargs.get("redact"),
            openinference=kwargs.get("openinference"),
            propagate=kwargs.get("propagate"),
            prices=kwargs.get("prices"),
        )
        self._redaction = Redaction(options.redact, options.redact_name)
        mirror = OpenInferenceMirror(options.content_max_length) if options.openinference else None
        baggage = None
        if options.baggage or options.baggage_metrics:
            baggage = Baggage(options.baggage, options.baggage_metrics, self._redaction)
        at_first_call = _first_call(kwargs).look
        telemetry = Telemetry.create(
            options,
            redaction=self._redaction,
            baggage=baggage,
            tracer_provider=CallTracerProvider(kwargs.get("tracer_provider"), mirror, at_first_call, baggage),
            meter_provider=kwargs.get("meter_provider"),
            logger_provider=kwargs.get("logger_provider"),
            completion_hook=kwargs.get("completion_hook"),
        )
        send_feedback_to(telemetry)
        note_instrumented()
        watch_for_lost_spans(lambda: kwargs.get("tracer_provider") or get_tracer_provider())
        count_exceeded_with(telemetry.metrics.budget_exceeded)
        let_bounds_be_kept(True)
        bound_process()
        warn_of_peers()
        _show_running_calls(kwargs.get("tracer_provider"))
        self._hooks = hooks = ClientHooks(Propagation(options.propagate)) if options.propagate else None
        self._patcher = Patcher(lambda patcher: _apply(patcher, telemetry, hooks))

    def _uninstrument(self, **kwargs: Any) -> None:
        send_feedback_to(None)
        count_exceeded_with(None)
        let_bounds_be_kept(False)
        leave_process_unbounded()
        watch_for_lost_spans(None)
        if self._patcher is not None:
            self._patcher.remove()
        if self._hooks is not None:
            self._hooks.remove()
        self._patcher = self._redaction = self._called_with = self._hooks = None


_lock = threading.RLock()
"""One thread at a time instruments or uninstruments: what two put in, one would not take out."""


def _first_call(given: Mapping[str, Any]) -> FirstCall:
    names = ("tracer_provider", "meter_provider", "logger_provider", "completion_hook")
    return FirstCall(**{name: given.get(name) for name in names}, variables=variables_of_program())


def load_ipython_extension(shell: Any) -> None:
    """Show each trace below its cell: ``%load_ext opentelemetry.instrumentation.dspy`` calls this."""
    from .notebook_extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Show no more traces, and leave DSPy as it was before ``%load_ext``."""
    from .notebook_extension import unload

    unload(shell)


def _show_running_calls(tracer_provider: TracerProvider | None) -> None:
    """Let the console exporter, if there is one, show calls that run: exporters hear only of those that ended."""
    console = sys.modules.get(f"{__name__}.console.exporter")
    if console is not None:
        console.show_running_calls(tracer_provider or get_tracer_provider())


def _apply(patcher: Patcher, telemetry: Telemetry, hooks: ClientHooks | None) -> None:
    patcher.apply([*seams(telemetry), *interpreter_finders(telemetry, patcher), *mcp_sessions(patcher)])
    patcher.replace([*thread_pools(), *litellm_views(), *executed_tool_calls(telemetry, patcher)])
    patcher.replace(prediction_copies(patcher))
    if hooks is not None:
        patcher.apply(native_requests(hooks.propagation))
        patcher.apply_later(litellm_requests(hooks))
