"""Instrumentations of DSPy that are switched on and off in one order, in a child process of its own."""

from __future__ import annotations

import json
import os
import sys
import traceback
from itertools import permutations
from typing import TYPE_CHECKING, Any

import dspy
from dspy.utils import DummyLM
from openinference.instrumentation.dspy import DSPyInstrumentor as OpenInference
from opentelemetry.instrumentation.genai.dspy import DSPyInstrumentor as GenAI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from opentelemetry.instrumentation.dspy import DSPyInstrumentor, usage_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OURS", "after", "all_orders", "without_ours"]

OURS = "ours"
PEERS: dict[str, Any] = {"openinference": OpenInference, "genai": GenAI}

Step = tuple[str, bool]
"""Whose instrumentation, and whether it is switched on."""


def all_orders(*names: str) -> Iterator[tuple[Step, ...]]:
    """Yield every order in which each is switched on once, and off once after that."""
    for order in permutations([*names, *names]):
        seen: list[str] = []
        steps = []
        for name in order:
            steps.append((name, name not in seen))
            seen.append(name)
        yield tuple(steps)


def without_ours(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the same order of the others."""
    return tuple(step for step in steps if step[0] != OURS)


def after(steps: tuple[Step, ...]) -> dict[str, Any]:
    """Return what a child process found that took the steps: what ours recorded, and what DSPy was afterwards."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            found = _take(steps)
        except BaseException:  # noqa: BLE001 - told to the parent
            found = {"error": traceback.format_exc()}
        with os.fdopen(writing, "w") as pipe:
            json.dump(found, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return dict(json.loads(told))


def _take(steps: tuple[Step, ...]) -> dict[str, Any]:
    dspy.configure(lm=DummyLM([{"answer": "here"}] * 99))
    program = dspy.Predict("question -> answer")
    before = _contents()
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    mine = {"tracer_provider": tracers, "meter_provider": meters}
    theirs = {"tracer_provider": TracerProvider(), "meter_provider": MeterProvider()}
    on: set[str] = set()
    recorded: list[dict[str, Any]] = []
    answers = []
    for name, is_on in steps:
        instrumentor = DSPyInstrumentor() if name == OURS else PEERS[name]()
        options = mine if name == OURS else theirs
        instrumentor.instrument(skip_dep_check=True, **options) if is_on else instrumentor.uninstrument()
        (on.add if is_on else on.discard)(name)
        exporter.clear()
        with usage_scope() as usage:
            answers.append(program(question="Where?").answer)
        spans = [span.name for span in exporter.get_finished_spans()]
        recorded.append({"ours is on": OURS in on, "spans": sorted(spans), "calls": usage.lm_calls})
    different = {
        f"{owner.__module__}.{owner.__qualname__}.{name}": vars(owner).get(name)
        for owner, was in before
        for name in sorted({*was, *vars(owner)})
        if was.get(name) is not vars(owner).get(name) and name not in _PYTHONS_OWN
    }
    data = reader.get_metrics_data()
    durations = [
        sum(point.count for point in metric.data.data_points)
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "gen_ai.client.operation.duration"
    ]
    return {
        "recorded": recorded,
        "answers": answers,
        "changed": [*different],
        "with ours inside": [name for name, value in different.items() if _holds_ours(value)],
        "durations": durations,
    }


def _holds_ours(value: Any) -> bool:
    """Whether anything of this library is in what stands in a class, however far inside."""
    seen: set[int] = set()
    while value is not None and id(value) not in seen:
        seen.add(id(value))
        if type(value).__module__.startswith("opentelemetry.instrumentation.dspy"):
            return True
        value = getattr(value, "__wrapped__", None)
    return False


_PYTHONS_OWN = ("__abstractmethods__", "_abc_impl", "__annotations_cache__")


def _contents() -> list[tuple[type, dict[str, Any]]]:
    """The attributes of every class of every module of DSPy that is loaded."""
    modules = [module for name, module in sorted(sys.modules.items()) if name.partition(".")[0] == "dspy"]
    classes = {
        id(value): value
        for module in modules
        for value in list(vars(module).values())
        if isinstance(value, type) and value.__module__.startswith("dspy")
    }
    return [(each, dict(vars(each))) for each in classes.values()]
