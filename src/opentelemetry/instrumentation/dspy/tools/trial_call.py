"""One call of a DSPy program, followed to the exporter: the answer to "does anything arrive?"."""

from __future__ import annotations

import importlib
import io
import re
import secrets
import threading
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from opentelemetry.context import attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, format_trace_id, set_span_in_context

from .advice import advice_on_delivery
from .findings import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .endpoints_found import Endpoints
    from .heard import HeardLog
    from .set_up import SetUp

__all__ = ["trial_call"]

_LOGGERS = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation.dspy")


class _Followed:
    """What an exporter was given, and what it said to it."""

    def __init__(self, exporter: Any) -> None:
        self.exporter = exporter
        self.name = type(exporter).__name__
        self.spans: list[Any] = []
        self.results: list[str] = []
        self.is_given_any = False
        self._export = exporter.export
        exporter.export = self._observed

    def _observed(self, batch: Any, *arguments: Any, **keyword_arguments: Any) -> Any:
        self.is_given_any = True
        result = self._export(batch, *arguments, **keyword_arguments)
        if hasattr(batch, "__iter__"):
            self.spans.extend(batch)
        self.results.append(getattr(result, "name", str(result)))
        return result


def trial_call(who: SetUp, endpoints: Endpoints, timeout: float, heard: HeardLog) -> Section:
    """Call a predictor on DSPy's ``DummyLM``, and follow its telemetry; ``timeout`` is in seconds for each signal."""
    section = Section("call", "One call")
    followed = {
        signal: [_Followed(exporter) for exporter in taken.exporters if signal not in endpoints.unreachable]
        for signal, taken in who.signals.items()
    }
    heard.take(*_LOGGERS)
    printed = io.StringIO()
    flushes = _flushes(who)
    try:
        with redirect_stdout(printed):
            usage = _call()
            is_second = _calls_again(who, followed["traces"], flushes["traces"], timeout)
    except Exception as error:  # noqa: BLE001 - DSPy's, with whatever the program's set-up did to it
        section.change("made", f"the call failed: {type(error).__name__}: {error}", "See whether DSPy works alone.")
        return section
    if usage != 1:
        section.note("made", "a call of DSPy's DummyLM was made, and not recorded: DSPy is not instrumented")
        return section
    section.ok("made", "a predictor was called on DSPy's DummyLM, and recorded")
    if is_second:
        _add_sampler(section, who)
    for signal, flush in flushes.items():
        _follow(section, signal, followed[signal], who, endpoints, (flush, timeout, printed), heard)
    for taken in who.signals.values():
        for exporter in taken.exporters:
            # So that the SDK's own end of the process does not wait for what does not answer.
            _in_time(getattr(exporter, "shutdown", lambda: None), timeout)
    return section


def _call() -> int:
    dspy: Any = importlib.import_module("dspy")

    from ..application import usage_scope

    with usage_scope() as usage, dspy.context(lm=dspy.utils.DummyLM([{"answer": "well"}]), callbacks=[]):
        dspy.Predict("question -> answer")(question="How are you?")
    return usage.lm_calls


def _flushes(who: SetUp) -> dict[str, Callable[[], Any]]:
    return {signal: getattr(provider, "force_flush", lambda: True) for signal, provider in who.providers.items()}


def _calls_again(who: SetUp, followed: Sequence[_Followed], flush: Callable[[], Any], timeout: float) -> bool:
    """Call again where a sampler has left the first call out; return whether it has taken that one."""
    if who.signals["traces"].state != "taken" or not followed or _sampler_of(who) is None:
        return False
    if not _in_time(flush, timeout) or any(exporter.is_given_any for exporter in followed):
        return False
    _call_below_a_sampled_span()
    _in_time(flush, timeout)
    return any(exporter.is_given_any for exporter in followed)


def _sampler_of(who: SetUp) -> str | None:
    sampler = getattr(who.providers["traces"], "sampler", None)
    return None if sampler is None else f"the sampler ({type(sampler).__name__})"


def _add_sampler(section: Section, who: SetUp) -> None:
    if who.signals["traces"].begins_no_trace:
        section.note(
            "sampled",
            f"{_sampler_of(who)} takes no trace that begins in the program; a second call, below a span of another "
            "process, it has taken",
            remedy="Set OTEL_TRACES_SAMPLER to another one, unless all traces begin in other processes.",
        )
    else:
        section.note("sampled", f"{_sampler_of(who)} has taken a second call, and left out the first, as it does some")


def _call_below_a_sampled_span() -> None:
    """Call below a span of another process that is sampled, in a trace that every share of traces takes in."""
    # A sampler by a ratio takes trace ids whose lower half is below its share of all of them: one is below any.
    parent = SpanContext((secrets.randbits(64) << 64) | 1, secrets.randbits(64) or 1, True, TraceFlags(1))
    token = attach(set_span_in_context(NonRecordingSpan(parent)))
    try:
        _call()
    finally:
        detach(token)


def _follow(
    section: Section,
    signal: str,
    followed: Sequence[_Followed],
    who: SetUp,
    endpoints: Endpoints,
    flushing: tuple[Callable[[], Any], float, io.StringIO],
    heard: HeardLog,
) -> None:
    taken, (flush, timeout, printed) = who.signals[signal], flushing
    if signal in endpoints.unreachable:
        section.note(signal, "cannot arrive, as is said of the endpoints above", "unreachable", subject=signal)
        return
    if taken.state != "taken":
        if signal == "traces":
            section.note(signal, "it has no span that goes anywhere, as is said of the set-up above", taken.state)
        return
    if not followed and signal == "traces":
        section.note(signal, "its span cannot be followed: the provider does not tell its exporters", "unknown")
    with redirect_stdout(printed):
        in_time = _in_time(flush, timeout)
    for exporter in followed:
        said = _said_of(signal, heard.take(*_LOGGERS))
        if exporter.results and set(exporter.results) == {"SUCCESS"}:
            section.ok(signal, f"{exporter.name} has taken its {signal}: SUCCESS{_names(signal, exporter)}", "SUCCESS")
        elif exporter.results or not in_time:
            result = exporter.results[-1] if exporter.results else "no answer in time"
            section.change(
                signal,
                f"{exporter.name} could not deliver its {signal}: {result}{f' ({said})' if said else ''}",
                # The SDK says once what went wrong with gRPC, whichever signal it was.
                advice_on_delivery(signal, said or heard.last, exporter.exporter),
                result,
            )
        elif signal == "traces":
            section.change(
                signal,
                f"{exporter.name} was given no span",
                _DROPPED,
                "nothing",
            )
        elif signal == "logs":
            section.ok(signal, f"{exporter.name} was given no log record: this call has none", "nothing")


_DROPPED = "A sampler or a processor drops it: see OTEL_TRACES_SAMPLER, and what is set up in code."

_WORDS = {"traces": ("traces", "spans"), "metrics": ("metrics",), "logs": ("logs",)}
"""What exporters call each signal in what they log."""


def _said_of(signal: str, lines: Sequence[str]) -> str:
    """Return what was said of a signal, and once what an exporter says each time that it tries again."""
    others = [word for name, words in _WORDS.items() if name != signal for word in words]
    told = [line for line in lines if not re.search(rf"export(?:ing)? (?:{'|'.join(others)})\b", line)]
    return " ".join(dict.fromkeys(re.sub(r",? retrying in [\d.]+s", "", line) for line in told))


def _names(signal: str, exporter: _Followed) -> str:
    if signal != "traces" or not exporter.spans:
        return ""
    names = ", ".join(span.name for span in exporter.spans)
    return f" ({names}; trace {format_trace_id(exporter.spans[-1].context.trace_id)})"


def _in_time(act: Callable[[], Any], timeout: float) -> bool:
    """Return whether something ends in time; what it raises is logged by the SDK or shows in what did not arrive."""
    ended = threading.Event()

    def run() -> None:
        try:
            act()
        except Exception:  # noqa: BLE001 - an exporter of any package
            return
        finally:
            ended.set()

    threading.Thread(target=run, daemon=True).start()
    return ended.wait(timeout)
