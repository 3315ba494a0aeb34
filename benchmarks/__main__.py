"""Measure what the instrumentation adds to a program's calls, beside the others: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import os
import platform
import random
from importlib.metadata import version
from typing import TYPE_CHECKING

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import dspy

from .contenders import CONTENDERS, FLOOR, OURS, UTIL_GENAI_FLOOR, record, replayed
from .programs import PROGRAMS, SETTINGS, language_model
from .report import Cell, Measurements, table, verdicts
from .workers import WARM_UP_CALLS, Setting, Worker

if TYPE_CHECKING:
    from .recorded import RecordedSpan

MODES = {"sampled": Setting(sampled=True, metrics=True), "sampler off": Setting(sampled=False, metrics=True)}
SUPPRESSED = "suppressed"

_EXPLANATION = """\
Added to one program call: microseconds of CPU time, median (first..third quartile), and the same for each of its spans.
By hand: this library's spans, attributes and metric points, with nothing around them but the SDK, or util-genai.
Suppressed: inside suppress_instrumentation()."""


def main() -> None:
    """Measure and print."""
    options = _options()
    _print_versions()
    # One CPU for all, so that none has the faster one. Linux alone can do that.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    dspy.configure(lm=language_model(), **SETTINGS)
    recorded = _recorded()
    print(
        f"{options.generations} generations of processes, {options.rounds} rounds each, {options.calls} calls a round"
    )
    print(f"\n{_EXPLANATION}")
    for metrics in (True, False):
        print(f"\n{'With metrics' if metrics else 'Without metrics (a meter provider that does nothing)'}")
        measured = _measure(options, recorded, metrics=metrics)
        for name, measurements in measured.items():
            print(f"\n{table(measurements)}")
            if metrics and name == next(iter(PROGRAMS)):
                print(f"\n{verdicts(measurements)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--generations", type=int, default=5, help="times that all processes are started anew")
    parser.add_argument("--rounds", type=int, default=16, help="rounds in each generation, in which each has one turn")
    parser.add_argument("--calls", type=int, default=10, help="program calls in each turn")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=[*PROGRAMS], help="what to measure")
    return parser.parse_args()


def _print_versions() -> None:
    names = ("dspy", "opentelemetry-sdk", "opentelemetry-util-genai", "opentelemetry-instrumentation-dspy")
    peers = ("opentelemetry-instrumentation-genai-dspy", "openinference-instrumentation-dspy")
    print(f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in (*names, *peers)))


def _recorded() -> dict[str, list[RecordedSpan]]:
    """Return what this library emits for each program, having seen that the floor emits the same.

    The parent of all processes must not be instrumented, but the library leaves nothing behind.
    """
    recorded = {name: record(program.create) for name, program in PROGRAMS.items()}
    for spans in recorded.values():
        for contender in (UTIL_GENAI_FLOOR, FLOOR):
            replayed(contender, spans)
    for program in PROGRAMS.values():
        call = program.create()
        for _ in range(WARM_UP_CALLS):
            call()
    return recorded


def _measure(
    options: argparse.Namespace, recorded: dict[str, list[RecordedSpan]], *, metrics: bool
) -> dict[str, Measurements]:
    modes = [*MODES, SUPPRESSED] if metrics else [*MODES]
    cells = {name: {mode: Cell() for mode in modes} for name in options.programs}
    spans: dict[str, dict[str, int]] = {name: {} for name in options.programs}
    for _ in range(options.generations):
        for mode, setting in MODES.items():
            workers = {
                contender.name: Worker(contender, Setting(setting.sampled, metrics), recorded)
                for contender in CONTENDERS
            }
            try:
                for name in options.programs:
                    counts = {contender: worker.spans(name) for contender, worker in workers.items()}
                    if setting.sampled:
                        spans[name] = counts
                        _compare(counts)
                    _run(options, workers, name, cells[name][mode], suppressed=False)
                    if setting.sampled and SUPPRESSED in modes:
                        _run(options, workers, name, cells[name][SUPPRESSED], suppressed=True)
            finally:
                for worker in workers.values():
                    worker.stop()
    return {name: Measurements(PROGRAMS[name].title, spans[name], cells[name]) for name in options.programs}


def _compare(spans: dict[str, int]) -> None:
    """Raise ``RuntimeError`` if not all that emit this library's telemetry make the same number of spans."""
    numbers = {contender.name: spans[contender.name] for contender in (OURS, UTIL_GENAI_FLOOR, FLOOR)}
    if len({*numbers.values()}) != 1:
        raise RuntimeError(f"not the same spans: {numbers}")


def _run(options: argparse.Namespace, workers: dict[str, Worker], name: str, cell: Cell, *, suppressed: bool) -> None:
    order = [*workers]
    for _ in range(options.rounds):
        random.shuffle(order)
        for contender in order:
            time = workers[contender].measure(name, suppressed=suppressed, calls=options.calls)
            cell.rounds[contender].append(time)


if __name__ == "__main__":
    main()
