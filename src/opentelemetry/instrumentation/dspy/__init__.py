"""OpenTelemetry instrumentation for DSPy.

Every call of a DSPy program becomes one trace: its modules, adapters and language model calls, in the OpenTelemetry
GenAI conventions, with exact tokens, cost and cache hits, added up for every module.

    from opentelemetry.instrumentation.dspy import DSPyInstrumentor

    DSPyInstrumentor().instrument()

or, without a change to the program, ``opentelemetry-instrument python app.py``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from wrapt import register_post_import_hook

from .application import telemetry_context, usage_scope
from .config import Options
from .package import _instruments
from .patching import Patcher
from .peers import warn_of_peers
from .programs.predictions import span_context_of
from .seams import executed_tool_calls, interpreter_finders, litellm_views, mcp_sessions, seams, thread_pools
from .telemetry import Telemetry
from .usage import Usage, UsageScope
from .version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import ModuleType

_logger = logging.getLogger(__name__)

__all__ = [
    "DSPyInstrumentor",
    "Usage",
    "UsageScope",
    "__version__",
    "span_context_of",
    "telemetry_context",
    "usage_scope",
]


class DSPyInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Switches the instrumentation of DSPy on and off.

    ``instrument()`` takes ``tracer_provider``, ``meter_provider``, ``logger_provider`` (default: the global ones),
    ``completion_hook`` (a hook of ``opentelemetry-util-genai``) and ``redact`` (a function that is given each text and
    its kind, and returns what may be recorded of it). An unsupported DSPy, or none, is logged, and nothing is done.
    ``uninstrument()`` leaves every class of DSPy and of the application as it was.
    """

    _patcher: Patcher | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return the DSPy versions that this library instruments."""
        return _instruments

    def _instrument(self, **kwargs: Any) -> None:
        telemetry = Telemetry.create(
            Options.read(redact=kwargs.get("redact")),
            tracer_provider=kwargs.get("tracer_provider"),
            meter_provider=kwargs.get("meter_provider"),
            logger_provider=kwargs.get("logger_provider"),
            completion_hook=kwargs.get("completion_hook"),
        )
        warn_of_peers()
        self._patcher = patcher = Patcher()

        def apply_to(_dspy: ModuleType) -> None:
            if self._patcher is not patcher:
                return
            try:
                patcher.apply([*seams(telemetry), *interpreter_finders(telemetry, patcher), *mcp_sessions(patcher)])
                patcher.replace([*thread_pools(), *litellm_views(), *executed_tool_calls(telemetry, patcher)])
            except Exception:  # the application's import of DSPy must not fail on our account
                _logger.warning("DSPy could not be instrumented.", exc_info=True)
                patcher.remove()

        # DSPy and LiteLLM read the environment when they are imported, and take their time: the application imports
        # them when it wants to, and they are instrumented then.
        register_post_import_hook(apply_to, "dspy")

    def _uninstrument(self, **kwargs: Any) -> None:
        if self._patcher is not None:
            self._patcher.remove()
            self._patcher = None
