"""The dspy_console exporter as `opentelemetry-instrument` starts it for a program that knows nothing of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from model_server import ModelServer, Reply, Request

from opentelemetry.instrumentation.dspy.amounts import money_words

DURATION = r"[0-9.]+ (?:µs|ms|s)"
TRACE = r"trace [0-9a-f]{32}"

PROGRAM = """
import os
import re

import dspy


class Answerer(dspy.Module):
    def __init__(self):
        super().__init__()
        self.draft = dspy.ChainOfThought("question -> draft")
        self.polish = dspy.Predict("draft -> answer")

    def forward(self, question):
        return self.polish(draft=self.draft(question=question).draft)


dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ["MODEL_URL"], api_key="a-key"))
for _ in range(2):
    print(Answerer()(question="Where is the Nile?").answer)
"""


def answer(request: Request) -> Reply:
    """Answer each of the two predictors, and count the tokens for both alike."""
    if "[[ ## question ## ]]" in request.prompt.text:
        return Reply(fields={"reasoning": "A river.", "draft": "Africa"})
    return Reply(fields={"answer": "In Africa."})


def run_program(folder: Path) -> tuple[str, list[tuple[int, int]]]:
    """Return what the program printed, and the tokens in and out of each of its requests."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "FORCE_"))}
    environment |= {
        "DSPY_CACHEDIR": str(folder / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONIOENCODING": "utf-8",
    }
    launcher = Path(sys.executable).with_name("opentelemetry-instrument")
    options = ["--traces_exporter", "dspy_console", "--metrics_exporter", "none", "--logs_exporter", "none"]
    with ModelServer(answer) as model:
        run = subprocess.run(
            [launcher, *options, sys.executable, program],
            env=environment | {"MODEL_URL": model.url},
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    usages = [request.usage or {} for request in model.requests]
    return run.stdout, [(usage["prompt_tokens"], usage["completion_tokens"]) for usage in usages]


def cells_of(line: str) -> list[str]:
    """Return the columns of a line without its duration, which is different in each run."""
    name, duration, *cells = re.split(r"(?<=[\w)])  +", line)
    assert re.fullmatch(DURATION, duration)
    return [name, *(" ".join(cell.split()) for cell in cells)]


def cost_of(tokens: tuple[int, int]) -> str:
    """The price of gpt-4o-mini in dollars: 0.15 for a million tokens in, 0.60 for a million tokens out."""
    return money_words(tokens[0] * 0.15e-6 + tokens[1] * 0.60e-6)


def test_a_program_under_opentelemetry_instrument_prints_its_traces(tmp_path: Path) -> None:
    output, requests = run_program(tmp_path)
    assert len(requests) == 2
    draft, polish = requests
    both = (draft[0] + polish[0], draft[1] + polish[1])
    lines = output.splitlines()
    assert lines[:2] == ["In Africa.", "In Africa."]

    def figures(tokens: tuple[int, int]) -> list[str]:
        return [f"{tokens[0]} → {tokens[1]}", cost_of(tokens)]

    assert [cells_of(line) for line in lines[2:8]] == [
        ["invoke_workflow Answerer", "Σ 2 calls", *figures(both)],
        ["├─ ChainOfThought draft", "Σ 1 call", *figures(draft)],
        ["│  └─ Predict draft", "Σ 1 call", *figures(draft)],
        ["│     └─ chat gpt-4o-mini", *figures(draft)],
        ["└─ Predict polish", "Σ 1 call", *figures(polish)],
        ["   └─ chat gpt-4o-mini", *figures(polish)],
    ]
    assert re.fullmatch(
        rf"total · 2 LM calls · {both[0]} → {both[1]} tokens · {re.escape(cost_of(both))} · {DURATION} · {TRACE}",
        lines[8],
    )
    assert [cells_of(line) for line in lines[10:16]] == [
        ["invoke_workflow Answerer", "Σ 2 calls", f"2 cached, saved {cost_of(both)}"],
        ["├─ ChainOfThought draft", "Σ 1 call", f"1 cached, saved {cost_of(draft)}"],
        ["│  └─ Predict draft", "Σ 1 call", f"1 cached, saved {cost_of(draft)}"],
        ["│     └─ chat gpt-4o-mini", f"cached, saved {cost_of(draft)}"],
        ["└─ Predict polish", "Σ 1 call", f"1 cached, saved {cost_of(polish)}"],
        ["   └─ chat gpt-4o-mini", f"cached, saved {cost_of(polish)}"],
    ]
    assert re.fullmatch(
        rf"total · 2 LM calls · 2 cache hits, saved {re.escape(cost_of(both))} · {DURATION} · {TRACE}", lines[16]
    )
    assert lines[17:] == [""]
