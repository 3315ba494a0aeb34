"""What becomes of each signal in this process, as far as its provider tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..delivery.signals import Taken
    from .findings import Section

__all__ = ["add_signals"]

_WHY = {
    "noop": ("the API's empty provider is set, which records nothing", "Set a provider of the SDK."),
    "disabled": ("OTEL_SDK_DISABLED is true: nothing is recorded", "Unset it."),
    "sampled out": ("the sampler takes no span", "Set OTEL_TRACES_SAMPLER to another one, or leave it out."),
    "shut down": ("the tracer provider is shut down", "Call its shutdown() after the last DSPy call."),
    "unset": ("no provider is set", "See above."),
    "not exported": ("not exported", "Name an exporter in OTEL_TRACES_EXPORTER, such as otlp, or add one in code."),
}

_IN_CODE: Mapping[str, str] = {
    "unset": "Call trace.set_tracer_provider() in that function, or give instrument() a tracer_provider.",
    "not exported": "Give the provider a processor, such as BatchSpanProcessor(OTLPSpanExporter()).",
    "sampled out": "Give the provider another sampler.",
}
"""What to do where a function of the program sets telemetry up."""


def add_signals(section: Section, signals: Mapping[str, Taken]) -> None:
    """Add what becomes of each signal; the first finding tells who has set it up."""
    by = section.findings[0]
    for signal, taken in signals.items():
        names = [type(exporter).__name__ for exporter in taken.exporters]
        value = {"state": taken.state, "exporters": names}
        if taken.state == "taken":
            text = ", ".join(names) or "a provider that does not tell its exporters"
            section.ok(signal, text, value, subject=signal)
            continue
        text, remedy = _WHY[taken.state]
        if by.value == "function":
            remedy = _IN_CODE.get(taken.state, remedy)
        # Traces are what the doctor is there for; without metrics or log records one can live, if that is asked for.
        is_told = by.status == "change"
        if signal == "traces" and not is_told:
            section.change(signal, text, remedy, value, subject=signal)
        else:
            section.note(signal, text, value, subject=signal)
