"""Measure what the instrumentation adds to a program's calls, beside the others: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import os
import platform
import random
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import dspy

from .contenders import CONTENDERS, FLOOR, OURS, UTIL_GENAI_FLOOR, earlier, record, replayed
from .programs import PROGRAMS, SETTINGS, language_model
from .report import Cell, Measurements, table, verdicts
from .sink import running_sink
from .workers import WARM_UP_CALLS, Setting, Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .contenders import Contender
    from .recorded import RecordedSpan

IN_PROCESS = {"sampled": Setting(sampled=True, metrics=True), "sampler off": Setting(sampled=False, metrics=True)}
SUPPRESSED, EXPORTED = "suppressed", "exported"
EXPORTED_PROGRAMS = ("answer", "cached")

_EXPLANATION = """\
Added to one program call: microseconds of CPU time, median (first..third quartile), and the same for each of its spans.
Exported: of the whole process, with BatchSpanProcessor, OTLP over HTTP to another process, and garbage collection.
The others: of the calling thread, without exporter and collection; suppressed: inside suppress_instrumentation().
By hand: this library's spans, attributes and metric points, with nothing around them but the SDK, or util-genai."""


def main() -> None:
    """Measure and print."""
    options = _options()
    _print_versions()
    # No reply of an earlier run: what is answered by the cache is answered from memory.
    dspy.configure_cache(enable_disk_cache=False)
    dspy.configure(lm=language_model(), **SETTINGS)
    contenders = (*CONTENDERS[:2], *map(earlier, options.earlier), *CONTENDERS[2:])
    recorded = _recorded()
    cells: dict[str, dict[str, Cell]] = {name: {} for name in options.programs}
    spans: dict[str, dict[str, int]] = {name: {} for name in options.programs}
    with running_sink() as endpoint:
        # One CPU for all, so that none has the faster one. Linux alone can do that.
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        measurement = _Measurement(options, contenders, recorded, cells, spans)
        for _ in range(options.generations):
            measurement.run(EXPORTED, Setting(sampled=True, metrics=True, endpoint=endpoint))
            for mode, setting in IN_PROCESS.items():
                measurement.run(mode, setting)
    print(f"{options.generations} generations of processes, {options.rounds} rounds of {options.calls} calls each")
    print(f"({options.exported_rounds} of {options.exported_calls} calls where they are exported)")
    print(f"\n{_EXPLANATION}")
    measured = {name: Measurements(PROGRAMS[name].title, spans[name], cells[name]) for name in options.programs}
    for measurements in measured.values():
        print(f"\n{table(measurements, contenders)}")
    print(f"\n{verdicts(measured)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--generations", type=int, default=3, help="times that all processes are started anew")
    parser.add_argument("--rounds", type=int, default=16, help="rounds in each generation, in which each has one turn")
    parser.add_argument("--calls", type=int, default=10, help="program calls in each turn")
    parser.add_argument("--exported-rounds", type=int, default=4, help="the same where all is exported")
    parser.add_argument("--exported-calls", type=int, default=200, help="the same where all is exported")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=[*PROGRAMS], help="what to measure")
    parser.add_argument("--earlier", nargs="*", default=[], metavar="WORKTREE", help="measure this source tree beside")
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


@dataclass(slots=True)
class _Measurement:
    """All that is measured in one run."""

    options: argparse.Namespace
    contenders: Sequence[Contender]
    recorded: dict[str, list[RecordedSpan]]
    cells: dict[str, dict[str, Cell]]
    spans: dict[str, dict[str, int]]

    def run(self, mode: str, setting: Setting) -> None:
        """Measure one mode with new processes, and with sampled spans also what is left of it when suppressed."""
        workers = {contender.name: Worker(contender, setting, self.recorded) for contender in self.contenders}
        try:
            for name in self.options.programs:
                if setting.endpoint is not None and name not in EXPORTED_PROGRAMS:
                    continue
                counts = {contender: worker.spans(name) for contender, worker in workers.items()}
                if setting.sampled:
                    self.spans[name] = counts
                    _compare(counts)
                self._turns(workers, name, mode, exported=setting.endpoint is not None)
                if mode == "sampled":
                    self._turns(workers, name, SUPPRESSED, exported=False)
        finally:
            for worker in workers.values():
                worker.stop()

    def _turns(self, workers: dict[str, Worker], name: str, mode: str, *, exported: bool) -> None:
        options, order = self.options, [*workers]
        cell = self.cells[name].setdefault(mode, Cell())
        rounds, calls = (
            (options.exported_rounds, options.exported_calls) if exported else (options.rounds, options.calls)
        )
        for _ in range(rounds):
            random.shuffle(order)
            for contender in order:
                time = workers[contender].measure(name, suppressed=mode == SUPPRESSED, calls=calls)
                cell.rounds[contender].append(time)


def _compare(spans: dict[str, int]) -> None:
    """Raise ``RuntimeError`` if not all that emit this library's telemetry make the same number of spans."""
    numbers = {contender.name: spans[contender.name] for contender in (OURS, UTIL_GENAI_FLOOR, FLOOR)}
    if len({*numbers.values()}) != 1:
        raise RuntimeError(f"not the same spans: {numbers}")


if __name__ == "__main__":
    main()
