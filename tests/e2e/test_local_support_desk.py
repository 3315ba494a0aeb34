"""The support desk with `DEMO_MODEL=local`: as far as its first question to the model, which is what takes the time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SUPPORT_DESK = Path(__file__).parents[2] / "examples" / "support_desk"
INSTRUMENT = str(Path(sys.executable).with_name("opentelemetry-instrument"))
NONSENSE = "SmolLM2-135M-Instruct runs on this machine: what it writes is nonsense, its tokens and times are real."

TRIAGE_ALONE = """
import app, dspy

with app.language_model() as lm:
    dspy.configure(lm=lm)
    print("kind:", dspy.Predict(app.TriageQuestion)(question="Where is my parcel?").kind)
"""


def test_the_support_desk_asks_the_local_model_and_says_so(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DEMO_MODEL": "local",
        "DSPY_CACHEDIR": str(tmp_path),
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_TRACES_EXPORTER": "dspy_console",
        "PYTHONPATH": str(SUPPORT_DESK),
    }
    command = [INSTRUMENT, sys.executable, "-c", TRIAGE_ALONE]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    printed = ended.stdout.splitlines()
    assert printed[0] == NONSENSE
    assert "kind: general" in printed or "kind: order" in printed
    assert "total · 1 LM call · " in ended.stdout
    assert "1 call of unknown price" in ended.stdout
