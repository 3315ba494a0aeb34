"""Who is measured. Each is imported where it is switched on: the tests' environment has none of the others."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .floor import Floor
from .recorded import RecordedSpan, RecordingProviders, outline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = [
    "CONTENDERS",
    "FLOOR",
    "GENAI_DSPY",
    "NOBODY",
    "OPENINFERENCE",
    "OURS",
    "UTIL_GENAI_FLOOR",
    "Contender",
    "earlier",
    "floor_of",
    "record",
    "replayed",
    "switch_on",
]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to run a program, with or without telemetry."""

    name: str
    title: str
    source: str | None = None
    """Where this library's source is, where it is not the one that is installed."""


NOBODY = Contender("none", "no instrumentation")
OURS = Contender("ours", "this library")
GENAI_DSPY = Contender("genai-dspy", "genai-dspy")
OPENINFERENCE = Contender("openinference", "openinference")
UTIL_GENAI_FLOOR = Contender("util-genai", "util-genai by hand")
FLOOR = Contender("floor", "bare SDK by hand")

CONTENDERS = (NOBODY, OURS, GENAI_DSPY, OPENINFERENCE, UTIL_GENAI_FLOOR, FLOOR)


def earlier(worktree: str) -> Contender:
    """Return this library as it is in another checkout of its repository."""
    return Contender("earlier", "this library, earlier", str(Path(worktree).resolve() / "src"))


def switch_on(contender: Contender, tracer_provider: TracerProvider, meter_provider: MeterProvider) -> None:
    """Instrument DSPy in this process, in the contender's default configuration.

    For ``OPENINFERENCE`` the content that it records by default is left out, as it is by default with the others.
    """
    if contender is OURS or contender.source is not None:
        if contender.source is not None:
            _prefer(contender.source)
        from opentelemetry.instrumentation.dspy import DSPyInstrumentor as Ours

        _expect_peers()
        Ours().instrument(tracer_provider=tracer_provider, meter_provider=meter_provider)
    elif contender is GENAI_DSPY:
        from opentelemetry.instrumentation.genai.dspy import DSPyInstrumentor as GenaiDSPy

        GenaiDSPy().instrument(tracer_provider=tracer_provider, meter_provider=meter_provider)
    elif contender is OPENINFERENCE:
        from openinference.instrumentation import TraceConfig
        from openinference.instrumentation.dspy import DSPyInstrumentor as OpenInference

        OpenInference().instrument(
            tracer_provider=tracer_provider, config=TraceConfig(hide_inputs=True, hide_outputs=True)
        )


def record(create: Callable[[], Callable[[], object]]) -> list[RecordedSpan]:
    """Return what this library emits for one call of a program, which is created and called once before."""
    from opentelemetry.instrumentation.dspy import DSPyInstrumentor

    providers = RecordingProviders()
    _expect_peers()
    DSPyInstrumentor().instrument(tracer_provider=providers.tracer_provider, meter_provider=providers.meter_provider)
    try:
        call = create()
        call()
        providers.take()
        call()
        return providers.take()
    finally:
        DSPyInstrumentor().uninstrument()


def _prefer(source: str) -> None:
    """Let this library be imported from another place than where it was before."""
    namespace = "opentelemetry.instrumentation"
    for name in [*sys.modules]:
        if name == f"{namespace}.dspy" or name.startswith(f"{namespace}.dspy."):
            del sys.modules[name]
    package = sys.modules[namespace]
    package.__path__ = [str(Path(source) / "opentelemetry" / "instrumentation"), *package.__path__]


def _expect_peers() -> None:
    """Do not let this library warn that others are installed beside it: here that is the point."""
    logging.getLogger("opentelemetry.instrumentation.dspy.peers").setLevel(logging.ERROR)


def floor_of(
    contender: Contender,
    recorded: Sequence[RecordedSpan],
    tracer_provider: TracerProvider,
    meter_provider: MeterProvider,
) -> Floor | None:
    """Return what emits the recorded telemetry by hand, ``None`` for contenders that instrument DSPy."""
    if contender not in (FLOOR, UTIL_GENAI_FLOOR):
        return None
    return Floor(recorded, tracer_provider, meter_provider, through_util_genai=contender is UTIL_GENAI_FLOOR)


def replayed(contender: Contender, recorded: Sequence[RecordedSpan]) -> list[RecordedSpan]:
    """Return what a floor emits of the recorded telemetry; raise ``ValueError`` where that is not the same."""
    providers = RecordingProviders()
    floor = floor_of(contender, recorded, providers.tracer_provider, providers.meter_provider)
    if floor is None:
        raise ValueError(f"{contender.title} emits nothing by hand")
    floor.replay()
    spans = providers.take()
    if outline(spans) != outline(recorded):
        raise ValueError(f"{contender.title} does not emit what this library emits")
    return spans
