"""Count what a call takes in machine instructions: ``python -m benchmarks.instructions``.

Times on a busy machine differ threefold within an hour; the same program on the same machine takes the same number of
instructions whoever else is at work. Valgrind counts them (``callgrind``), from Debian's packages or another's; it runs
a program some fifty times slower, so a run takes a few minutes for each contender. What instructions do not tell is
how long each waits for memory: the times of ``python -m benchmarks`` are what a user pays.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import dspy
from opentelemetry.instrumentation.utils import suppress_instrumentation

from .contenders import CONTENDERS, FLOOR, NOBODY, UTIL_GENAI_FLOOR, Contender, earlier, floor_of, record, switch_on
from .programs import PROGRAMS, SETTINGS, language_model
from .sink import running_sink
from .workers import WARM_UP_CALLS, Setting, measured_call, providers

CHILD = "DSPY_BENCHMARK_CONTENDER"
"""Set for the process of one contender, to its name."""


def main() -> None:
    """Measure each contender in a process of its own and print what it adds to a call, or be such a process."""
    options = _options()
    contenders = (*CONTENDERS, *map(earlier, options.earlier))
    if CHILD in os.environ:
        _run(next(each for each in contenders if each.name == os.environ[CHILD]), options)
        return
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is needed to count instructions; Debian's package is valgrind")
    counts: dict[str, int] = {}
    chosen = [each for each in contenders if each is NOBODY or not options.only or each.name in options.only]
    with running_sink() as endpoint:
        for contender in chosen:
            counts[contender.name] = _count(contender, endpoint if options.exported else "")
            print(f"{contender.title:24}{counts[contender.name] / options.calls / 1000:10.0f}", flush=True)
    print(f"thousands of instructions of one call of {options.program!r}, mean of {options.calls}, and added to it:")
    floor = counts.get(FLOOR.name, 0) - counts[NOBODY.name]
    for contender in chosen[1:]:
        added = counts[contender.name] - counts[NOBODY.name]
        beside = f"  {added / floor:.2f} of {FLOOR.title}" if floor > 0 else ""
        of_own = f"  the program takes {counts[contender.name] / counts[NOBODY.name]:.2f} of its own"
        print(f"{contender.title:24}{added / options.calls / 1000:10.0f}{beside}{of_own}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--program", choices=PROGRAMS, default="answer")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--exported", action="store_true", help="with export, and garbage collection")
    parser.add_argument("--sampler-off", action="store_true")
    parser.add_argument("--suppressed", action="store_true", help="inside suppress_instrumentation()")
    parser.add_argument("--only", nargs="+", default=[], help="names of contenders")
    parser.add_argument("--earlier", nargs="*", default=[], metavar="WORKTREE", help="measure this source tree beside")
    return parser.parse_args()


_NO_CLOCK = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
"""Spans are exported when a batch is full, and the rest at the end: by the clock, a slower run had more exports."""


def _count(contender: Contender, endpoint: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "counts"
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={file}"]
        own = {CHILD: contender.name, "DSPY_BENCHMARK_ENDPOINT": endpoint, "PYTHONHASHSEED": "0"}
        environment = {**os.environ, **_NO_CLOCK, **own}
        subprocess.run(
            [*command, sys.executable, "-m", "benchmarks.instructions", *sys.argv[1:]],
            env=environment,
            check=True,
            stderr=subprocess.DEVNULL,
        )
        found = re.findall(r"^(?:summary|totals): (\d+)", file.read_text(), re.MULTILINE)
    return max(map(int, found))


def _run(contender: Contender, options: argparse.Namespace) -> None:
    dspy.configure_cache(enable_disk_cache=False)
    dspy.configure(lm=language_model(), **SETTINGS)
    needs_record = contender in (FLOOR, UTIL_GENAI_FLOOR)
    recorded = record(PROGRAMS[options.program].create) if needs_record else []
    endpoint = os.environ["DSPY_BENCHMARK_ENDPOINT"] or None
    tracer_provider, meter_provider, _ = providers(Setting(not options.sampler_off, metrics=True, endpoint=endpoint))
    switch_on(contender, tracer_provider, meter_provider)
    call = measured_call(
        PROGRAMS[options.program].create(), floor_of(contender, recorded, tracer_provider, meter_provider)
    )
    with suppress_instrumentation() if options.suppressed else nullcontext():
        for _ in range(WARM_UP_CALLS):
            call()
        _switch("on")
        for _ in range(options.calls):
            call()
    if endpoint is not None:
        tracer_provider.force_flush()
        meter_provider.force_flush()
    _switch("off")


def _switch(state: str) -> None:
    subprocess.run(["callgrind_control", "-i", state, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
