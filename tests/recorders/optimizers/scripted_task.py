"""A small task to optimize, with a model whose answers depend on the prompt alone, so that every run is the same."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dspy
from recorded import attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from model_server import ModelServer, Request
    from opentelemetry.sdk.trace import ReadableSpan
    from recorded import Recorded

__all__ = [
    "Moody",
    "Sums",
    "answer",
    "by_role",
    "data",
    "is_right",
    "judged",
    "outline",
    "quiet",
    "roles_of_calls",
    "rolled_up",
    "state_of",
    "totals",
    "trials",
]


def data(count: int, start: int = 0) -> list[dspy.Example]:
    """Sums to do, each with its result."""
    return [
        dspy.Example(question=f"What is {number} plus {number + 1}?", answer=str(2 * number + 1)).with_inputs(
            "question"
        )
        for number in range(start, start + count)
    ]


class Sums(dspy.Module):
    """The program that is optimized."""

    def __init__(self) -> None:
        super().__init__()
        self.add = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.add(question=question)


def is_right(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None, *_: Any) -> float:
    """A metric of the plain kind; it takes what GEPA gives it too."""
    return float(prediction is not None and prediction.answer == example.answer)


def judged(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None, *_: Any) -> float:
    """A metric that asks a model."""
    verdict = dspy.Predict("claim -> verdict")(claim=f"{example.question} {prediction.answer}")
    return float(verdict.verdict == "right")


def answer(request: Request) -> Mapping[str, object] | None:
    """The model: it adds correctly if the digits of the whole prompt's hash say so, and judges by adding itself.

    Whatever else is asked (proposals, summaries) has the server's default reply, which depends on the prompt too.
    """
    prompt = request.prompt
    names = [field.name for field in prompt.fields]
    numbers = re.findall(r"What is (\d+) plus (\d+)\?", prompt.last_message)
    if names == ["answer"] and numbers:
        first, second = map(int, numbers[-1])
        template = hashlib.sha256(prompt.text.encode()).digest()[0]
        return {"answer": str(first + second if template % 3 else first - second)}
    if names == ["verdict"]:
        first, second = map(int, numbers[-1])
        return {"verdict": "right" if prompt.last_message.count(f" {first + second}") else "wrong"}
    if names == ["discussion", "module_advice"]:
        return {"discussion": "The sum was wrong.", "module_advice": {"add": f"Add the numbers ({prompt.digest})."}}
    return None


class Moody:
    """The same model, but wrong whenever it is asked the same for the second, fourth and so on time.

    SIMBA learns from runs of one example that differ. It takes one thread to make the order of the calls the same.
    """

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    def __call__(self, request: Request) -> Mapping[str, object] | None:
        """Answer a request."""
        self._asked[request.prompt.text] += 1
        reply = answer(request)
        if reply is not None and "answer" in reply and self._asked[request.prompt.text] % 2 == 0:
            return {"answer": "no idea"}
        return reply


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the progress that optimizers print and log."""
    logging.disable(logging.INFO)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def state_of(program: dspy.Module) -> dict[str, Any]:
    """What an optimizer made of a program, without the identity of the objects."""
    return {
        name: (predictor.signature.instructions, [dict(demo) for demo in predictor.demos])
        for name, predictor in program.named_predictors()
    }


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of all calls that the model server answered."""

    calls: int
    input_tokens: int
    output_tokens: int


def totals(server: ModelServer) -> Totals:
    """The sums over all requests, which are what every roll-up must come to."""
    usages = [request.usage or {} for request in server.requests]
    return Totals(
        len(usages),
        sum(usage["prompt_tokens"] for usage in usages),
        sum(usage["completion_tokens"] for usage in usages),
    )


def rolled_up(attributes: Mapping[str, Any], prefix: str = "dspy.usage.") -> Totals:
    """The same numbers as a span has them."""
    names = ("lm_calls", "input_tokens", "output_tokens")
    return Totals(*(attributes.get(prefix + name, 0) for name in names))


def by_role(attributes: Mapping[str, Any]) -> Totals:
    """The sum over the roles of a run."""
    roles = [rolled_up(attributes, f"dspy.usage.{role}.") for role in ("task", "judge", "proposal")]
    return Totals(
        sum(role.calls for role in roles),
        sum(role.input_tokens for role in roles),
        sum(role.output_tokens for role in roles),
    )


def roles_of_calls(telemetry: Recorded) -> Counter[str]:
    """How many language model spans have each role."""
    return Counter(
        attributes_of(span).get("dspy.optimizer.role", "none") for span in telemetry.named("chat gpt-4o-mini")
    )


def trials(telemetry: Recorded, run_id: str) -> list[dict[str, Any]]:
    """The attributes of the trials of one run, in their order."""
    found = [attributes_of(span) for span in telemetry.named("optimize_trial")]
    mine = [attributes for attributes in found if attributes["dspy.optimizer.run_id"] == run_id]
    return sorted(mine, key=lambda attributes: attributes["dspy.optimizer.trial"])


def outline(telemetry: Recorded, depth: int = 9) -> str:
    """The tree of the run's own trace, spans of the same name and depth that follow each other as one line."""
    spans = telemetry.spans
    roots = [span for span in spans if span.parent is None and span.name.startswith("optimize ")]
    assert len(roots) == 1, [span.name for span in roots]
    return "\n".join(_lines(spans, roots, depth))


def _lines(spans: list[ReadableSpan], level: Iterable[ReadableSpan], depth: int, indent: int = 0) -> Iterator[str]:
    grouped: list[tuple[str, list[str], int]] = []
    for span in level:
        below = [child for child in spans if child.parent and child.parent.span_id == span.context.span_id]
        lines = list(_lines(spans, below, depth - 1, indent + 1)) if depth > 1 else []
        kind = attributes_of(span).get("dspy.optimizer.trial.kind")
        name = f"{span.name} {kind}" if kind else span.name
        if grouped and grouped[-1][:2] == (name, lines):
            grouped[-1] = (name, lines, grouped[-1][2] + 1)
        else:
            grouped.append((name, lines, 1))
    for name, lines, count in grouped:
        yield f"{'  ' * indent}{name}" + (f" x{count}" if count > 1 else "")
        yield from lines
