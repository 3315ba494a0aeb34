"""The size of a long run's telemetry, by the program that prints its figures."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "benchmarks" / "optimizer_run.py"


@pytest.mark.skipif(find_spec("optuna") is None, reason="MIPROv2 needs optuna.")
def test_a_long_run_is_small_to_open_complete_and_counted_right() -> None:
    # 900 calls; by hand the program takes the 3,200 of a real run.
    ran = subprocess.run([sys.executable, PROGRAM, "linked", "900"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    calls, *_ = ran.stdout.split()
    assert 900 <= int(calls) < 1_100
