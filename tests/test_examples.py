"""The support desk runs as it is, and does what it says; see `examples/` beside this file for the other examples."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from model_server import ModelServer
from scripted_model import completion_text

if TYPE_CHECKING:
    from model_server import Request

SUPPORT_DESK = Path(__file__).parent.parent / "examples" / "support_desk"

SUPPORT_DESK_OUTPUT = """\
Customer: How long does a parcel to Norway take?
Desk:     A parcel to Norway takes 5 to 7 working days. If you order before 14:00, it leaves our workshop \
the same day. (… s)

Customer: Has order A-1042 arrived, and can I still send it back?
Desk:     Yes, your Fjord floor lamp was delivered 9 days ago. You can send it back for another 21 days, \
unused and in its box, and receive the full 189.00 euros. (… s)

Customer: How long does a parcel to Norway take?
Desk:     A parcel to Norway takes 5 to 7 working days. If you order before 14:00, it leaves our workshop \
the same day. (… s)

87.5 % of 8 test questions are answered well. Those that are not:
  For how long is a gift card valid?
  A gift card is valid for one year after the purchase. You can use it for several orders.
"""


def run(program: str, **settings: str) -> str:
    """What a program of the support desk prints, in an environment without settings of the tests' own."""
    foreign = ("DEMO_", "OTEL_", "DSPY_", "OPENAI_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    # Whoever runs the tests may have the stack up: the demo is not to find it.
    environment["OTLP_HTTP_PORT"] = "1"
    completed = subprocess.run(
        [sys.executable, str(SUPPORT_DESK / program)],
        env={**environment, **settings},
        stdout=subprocess.PIPE,
        timeout=110,
        check=True,
        encoding="utf-8",
    )
    return completed.stdout


def without_times(output: str) -> str:
    return re.sub(r"\(\d+\.\d\d s\)", "(… s)", output)


def test_the_support_desk_answers_three_questions_and_is_right_in_seven_of_eight_tests() -> None:
    assert without_times(run("app.py")) == SUPPORT_DESK_OUTPUT


def test_the_totals_of_the_instrumented_support_desk_are_what_the_model_billed() -> None:
    script = json.loads((SUPPORT_DESK / "data" / "script.json").read_text(encoding="utf-8"))

    def from_the_script(request: Request) -> str:
        return completion_text(request.body["messages"], script)

    with ModelServer(from_the_script) as server:
        output = run("run.py", DEMO_API_BASE=server.url, OPENAI_API_KEY="test-key")

    billed = [request.usage for request in server.requests if request.usage is not None]
    tokens_in = sum(usage["prompt_tokens"] for usage in billed)
    tokens_out = sum(usage["completion_tokens"] for usage in billed)
    traces = len(re.findall(r"trace [0-9a-f]{32}$", output, re.MULTILINE))
    assert f"This run: {traces} traces, {len(billed) + 2} LM calls (2 from the cache), " in output
    totals = f"{tokens_in:,} tokens in and {tokens_out:,} out, $"
    assert totals in output
    assert "87.5 % of 8 test questions are answered well." in output
