"""Print where the added time of this library goes: ``python -m benchmarks.profile``.

A profiler makes calls of Python functions dearer than they are; the order and the counts are what to read here.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import dspy

from .contenders import OURS, switch_on
from .programs import PROGRAMS, SETTINGS, language_model
from .workers import WARM_UP_CALLS, Setting, providers

CALLS = 500

_LAYERS = (
    ("this library", "instrumentation/dspy/"),
    ("util-genai", "opentelemetry/util/genai/"),
    ("SDK", "opentelemetry/sdk/"),
    ("API", "opentelemetry/"),
)
"""Part of a file's path that tells whose code it is; the first that fits."""


def main() -> None:
    """Profile one program and print time by layer, then the functions with most time of their own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--program", choices=PROGRAMS, default=next(iter(PROGRAMS)))
    parser.add_argument("--sampler-off", action="store_true")
    parser.add_argument("--functions", type=int, default=40, help="how many to print")
    options = parser.parse_args()
    dspy.configure(lm=language_model(), **SETTINGS)
    tracer_provider, meter_provider, _ = providers(Setting(sampled=not options.sampler_off, metrics=True))
    switch_on(OURS, tracer_provider, meter_provider)
    call = PROGRAMS[options.program].create()
    for _ in range(WARM_UP_CALLS):
        call()
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(CALLS):
        call()
    profiler.disable()
    _print(pstats.Stats(profiler), options.functions)


def _print(statistics: pstats.Stats, count: int) -> None:
    layers: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    functions = []
    # The annotations of pstats know no ``stats``; its documentation does.
    entries: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = vars(statistics)["stats"]
    for (file, line, name), (_, calls, own_time, whole_time, _) in entries.items():
        layer = next((layer for layer, part in _LAYERS if part in Path(file).as_posix()), None)
        if layer is not None:
            layers[layer] += own_time
            counts[layer] += calls
            place = f"{layer}: {Path(file).name}:{line} {name}"
            functions.append((own_time, whole_time, calls, place))
    print(f"microseconds of one program call, mean of {CALLS}, under the profiler")
    for layer, seconds in layers.items():
        print(f"{seconds / CALLS * 1e6:9.1f}  {layer}, {counts[layer] / CALLS:.0f} functions called")
    print(f"\n{'own':>9}{'with callees':>14}{'calls':>8}")
    for own_time, whole_time, calls, place in sorted(functions, reverse=True)[:count]:
        print(f"{own_time / CALLS * 1e6:9.1f}{whole_time / CALLS * 1e6:14.1f}{calls / CALLS:8.1f}  {place}")


if __name__ == "__main__":
    main()
