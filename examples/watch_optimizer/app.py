"""GEPA teaches a program to sort a shop's mail: a run to watch, and what each trial scored and cost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dspy
from opentelemetry.sdk.trace import SpanProcessor

from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

MODEL = os.environ.get("DEMO_MODEL", "openai/gpt-4o-mini")
REFLECTION_MODEL = os.environ.get("DEMO_MODEL", "openai/gpt-4o")
API_BASE = os.environ.get("DEMO_API_BASE")
ROLES = ("task", "judge", "proposal")


class SortMessage(dspy.Signature):
    """Decide which team answers a message."""

    message: str = dspy.InputField()
    team: Literal["delivery", "returns", "repair"] = dspy.OutputField()


class ExplainMistake(dspy.Signature):
    """Say in one sentence why a message belongs to another team."""

    message: str = dspy.InputField()
    chosen: str = dspy.InputField()
    right: str = dspy.InputField()
    feedback: str = dspy.OutputField()


explain = dspy.Predict(ExplainMistake)


def right_team(
    example: dspy.Example, prediction: dspy.Prediction, trace: object = None, name: object = None, calls: object = None
) -> dspy.Prediction:
    """The score, and where the team is wrong a judge's words, from which GEPA learns."""
    if prediction.team == example.team:
        return dspy.Prediction(score=1.0, feedback="Right.")
    why = explain(message=example.message, chosen=prediction.team, right=example.team)
    return dspy.Prediction(score=0.0, feedback=why.feedback)


class Ledger(SpanProcessor):
    """Keeps what the spans of an optimizer run tell of it."""

    def __init__(self) -> None:
        self.trials: list[dict[str, Any]] = []
        self.run: dict[str, Any] = {}

    def on_end(self, span: ReadableSpan) -> None:
        """Keep the attributes of a trial, and those of the whole run."""
        if span.name == "optimize_trial":
            self.trials.append(dict(span.attributes or {}))
        elif span.name.startswith("optimize "):
            self.run = dict(span.attributes or {})

    def report(self) -> str:
        """A line for each trial, and one for what was paid for answers, for the metric's judge and for proposals."""
        lines = [f"{'trial':9}{'kind':13}{'score':>5}{'cost':>11}"]
        for number, trial in enumerate(self.trials):
            score, cost = trial.get("dspy.optimizer.trial.score", float("nan")), trial["dspy.usage.cost"]
            lines.append(f"{number:<9}{trial['dspy.optimizer.trial.kind']:13}{score:5.2f}{f'${cost:.5f}':>11}")
        paid = [f"{role} ${self.run.get(f'dspy.usage.{role}.cost', 0.0):.5f}" for role in ROLES]
        return "\n".join([*lines, f"Together ${self.run['dspy.usage.cost']:.5f}: {', '.join(paid)}"])


def main() -> None:
    ledger = Ledger()
    trace.get_tracer_provider().add_span_processor(ledger)
    dspy.disable_logging()
    dspy.configure(lm=dspy.LM(MODEL, api_base=API_BASE))

    mail = json.loads(Path(__file__).with_name("mail.json").read_text(encoding="utf-8"))
    examples = [dspy.Example(**letter).with_inputs("message") for letter in mail]
    gepa = dspy.GEPA(
        metric=right_team,
        max_metric_calls=36,
        reflection_lm=dspy.LM(REFLECTION_MODEL, api_base=API_BASE),
        num_threads=2,
    )
    program = gepa.compile(dspy.Predict(SortMessage), trainset=examples[::2], valset=examples[1::2])
    print(f"\n{ledger.report()}\n\nThe best instruction:\n{program.signature.instructions}\n")


if __name__ == "__main__":
    main()
