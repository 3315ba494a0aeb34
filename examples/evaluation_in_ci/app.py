"""An evaluation as a check in CI: it fails where the score is too low or the run too dear.

python app.py --least-score 80 --most-dollars 0.01 --junit report.xml --markdown "$GITHUB_STEP_SUMMARY"
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import dspy
from opentelemetry.trace import format_span_id

from opentelemetry.instrumentation.dspy import span_context_of, trace_id_of, usage_scope


class RateReview(dspy.Signature):
    """Say how many stars a review of a lamp means, from 1 to 5."""

    review: str = dspy.InputField()
    stars: int = dspy.OutputField()


def right_stars(example: dspy.Example, prediction: dspy.Prediction, trace: object = None) -> bool:
    """The stars are those that the customer gave."""
    return prediction.stars == example.stars


@dataclass(frozen=True)
class Failed:
    """An example that failed, and where its trace is."""

    review: str
    expected: int
    answered: int | None
    trace_id: str | None
    span_id: str | None

    @property
    def told(self) -> str:
        """What is wrong, in a few words."""
        where = f"trace {self.trace_id}, span {self.span_id}" if self.trace_id else "it raised: its trace has the error"
        return f"{self.answered} instead of {self.expected} stars ({where})"


@dataclass(frozen=True)
class Report:
    """What the evaluation found, beside what was asked for."""

    reviews: list[str]
    failed: list[Failed]
    score: float
    dollars: float
    least_score: float
    most_dollars: float

    @property
    def is_good(self) -> bool:
        """Whether the score is high enough and the cost low enough."""
        return self.score >= self.least_score and self.dollars <= self.most_dollars

    @property
    def line(self) -> str:
        """The outcome in one line."""
        score = f"score {self.score:g} % (at least {self.least_score:g} %)"
        cost = f"${self.dollars:.6f} (at most ${self.most_dollars:g})"
        wrong = f"{len(self.failed)} of {len(self.reviews)} wrong"
        return f"{'passed' if self.is_good else 'FAILED'}: {score}, {cost}, {wrong}"

    def junit(self) -> str:
        """A test case for the bounds, which is the one that can fail, and one for each example."""
        suite = ElementTree.Element("testsuite", name="evaluation", tests=str(len(self.reviews) + 1))
        suite.set("failures", str(0 if self.is_good else 1))
        bounds = ElementTree.SubElement(suite, "testcase", classname="evaluation", name="score and cost")
        if not self.is_good:
            ElementTree.SubElement(bounds, "failure", message=self.line)
        told = {failed.review: failed.told for failed in self.failed}
        for review in self.reviews:
            case = ElementTree.SubElement(suite, "testcase", classname="evaluation.example", name=review)
            if review in told:
                # Not a failure: how many examples may be wrong is what the bound on the score says.
                ElementTree.SubElement(case, "system-out").text = told[review]
        return ElementTree.tostring(suite, encoding="unicode")

    def markdown(self) -> str:
        """The summary for a page of CI: the outcome, and each failed example with its trace."""
        rows = [
            f"| {failed.review} | {failed.expected} | {failed.answered} | `{failed.trace_id}` |"
            for failed in self.failed
        ]
        table = ["| review | expected | answered | trace |", "| --- | --- | --- | --- |", *rows] if rows else []
        return "\n".join([f"**Evaluation {self.line}**", "", *table, ""])


def evaluate(least_score: float, most_dollars: float) -> Report:
    """Rate every review, and count what the model was paid."""
    reviews = json.loads(Path(__file__).with_name("reviews.json").read_text(encoding="utf-8"))
    examples = [dspy.Example(**review).with_inputs("review") for review in reviews]
    with usage_scope() as usage:
        result = dspy.Evaluate(devset=examples, metric=right_stars, num_threads=4)(dspy.Predict(RateReview))
    failed = [_failed(example, prediction) for example, prediction, is_right in result.results if not is_right]
    return Report([example.review for example in examples], failed, result.score, usage.cost, least_score, most_dollars)


def _failed(example: dspy.Example, prediction: dspy.Prediction) -> Failed:
    span, trace_id = span_context_of(prediction), trace_id_of(prediction)
    span_id = format_span_id(span.span_id) if span else None
    # Where the program raised, the evaluation has an empty prediction.
    return Failed(example.review, example.stars, prediction.get("stars"), trace_id, span_id)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least-score", type=float, default=80.0, help="in percent")
    parser.add_argument("--most-dollars", type=float, default=0.01)
    parser.add_argument("--junit", type=Path, help="write a JUnit report into this file")
    parser.add_argument("--markdown", type=Path, help="append a summary to this file")
    options = parser.parse_args()

    model = os.environ.get("DEMO_MODEL", "openai/gpt-4o-mini")
    dspy.configure(lm=dspy.LM(model, api_base=os.environ.get("DEMO_API_BASE")))
    report = evaluate(options.least_score, options.most_dollars)
    for failed in report.failed:
        print(f"{failed.review}: {failed.told}")
    print(report.line)
    if options.junit:
        options.junit.write_text(report.junit(), encoding="utf-8")
    if options.markdown:
        with options.markdown.open("a", encoding="utf-8") as page:
            page.write(report.markdown())
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
