"""How large a MIPROv2 run of 3,200 language model calls is in telemetry, and whether all of it can be found.

    python benchmarks/optimizer_run.py [auto|linked|nested|none] [calls]

The model is a custom class of DSPy's that answers in process, so the run takes seconds and every number is the same
each time. It prints the figures, and fails where the run's trace has 500 spans or more (``linked``), where an example
cannot be reached from its trial and back, or where a roll-up is not the sum over all calls.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import math
import os
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ.setdefault("DSPY_CACHEDIR", tempfile.mkdtemp(prefix="dspy-cache-"))

import dspy
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from opentelemetry.instrumentation.dspy import DSPyInstrumentor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

CALLS = 3_200
VALSET_SIZE, MINIBATCH_SIZE, FULL_EVERY = 100, 25, 10
MOST_SPANS = 500


class Asked:
    """What the model was asked, counted by the model itself: all its copies, which optimizers make, count here."""

    lock = threading.Lock()
    calls = 0
    input_tokens = 0

    @classmethod
    def count(cls, tokens: int) -> None:
        """Count one call."""
        with cls.lock:
            cls.calls += 1
            cls.input_tokens += tokens


class Model(dspy.BaseLM):
    """Adds correctly where the hash of the prompt says so."""

    def __init__(self) -> None:
        super().__init__("model", cache=False)

    def forward(self, prompt: str | None = None, messages: Any = None, **options: Any) -> Any:
        text = "".join(message["content"] for message in messages)
        fields = re.findall(r"\[\[ ## (\w+) ## \]\]", messages[-1]["content"].rpartition("Respond")[2])
        numbers = re.findall(r"What is (\d+) plus (\d+)\?", messages[-1]["content"])
        digest = hashlib.sha256(text.encode()).hexdigest()
        values = {name: f"{name} {digest[:6]}" for name in fields}
        if "answer" in fields and numbers:
            first, second = map(int, numbers[-1])
            values["answer"] = str(first + second if int(digest[0], 16) % 3 else 0)
        reply = "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in values.items())
        tokens = len(text.split())
        Asked.count(tokens)
        usage = {"prompt_tokens": tokens, "completion_tokens": 5, "total_tokens": tokens + 5}
        return _Reply(reply, usage)


class _Reply:
    """What a provider's client returns, as far as DSPy reads it."""

    def __init__(self, text: str, usage: dict[str, int]) -> None:
        message = type("Message", (), {"content": text, "reasoning_content": None, "tool_calls": None})()
        self.choices = [type("Choice", (), {"message": message, "finish_reason": "stop"})()]
        self.usage = usage
        self.model = "model"


class Sums(dspy.Module):
    """The program that is optimized."""

    def __init__(self) -> None:
        super().__init__()
        self.add = dspy.Predict("question -> answer")

    def forward(self, question: str) -> dspy.Prediction:
        return self.add(question=question)


def main(traces: str = "linked", calls: int = CALLS) -> None:
    """Run the optimizer and print the figures of its telemetry."""
    os.environ["OTEL_INSTRUMENTATION_DSPY_OPTIMIZER_TRACES"] = traces
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    DSPyInstrumentor().instrument(tracer_provider=provider)
    dspy.configure(lm=Model())
    began = time.perf_counter()
    run(calls)
    print(f"{Asked.calls} language model calls in {time.perf_counter() - began:.1f} s, traces: {traces}")
    failures = report(exporter.get_finished_spans(), traces)
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(1 if failures else 0)


def run(calls: int) -> None:
    """Optimize with at least so many calls."""
    # MIPROv2 evaluates in full at first and after every FULL_EVERY minibatches.
    trials = math.ceil((calls - VALSET_SIZE) / (MINIBATCH_SIZE + VALSET_SIZE / FULL_EVERY))
    examples = [example(number) for number in range(VALSET_SIZE + 20)]
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        optimizer = dspy.MIPROv2(metric=is_right, auto=None, num_candidates=8, num_threads=4)
        optimizer.compile(
            Sums(),
            trainset=examples[:20],
            valset=examples[20:],
            num_trials=trials,
            minibatch_size=MINIBATCH_SIZE,
            minibatch_full_eval_steps=FULL_EVERY,
        )
    logging.disable(logging.NOTSET)


def example(number: int) -> dspy.Example:
    """One sum."""
    return dspy.Example(question=f"What is {number} plus {number + 1}?", answer=str(2 * number + 1)).with_inputs(
        "question"
    )


def is_right(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> bool:
    """The metric."""
    return bool(prediction.answer == example.answer)


def report(spans: Sequence[ReadableSpan], traces: str) -> list[str]:
    """Print the figures and return what is wrong with them."""
    [root] = [span for span in spans if span.name == "optimize MIPROv2"]
    own = [span for span in spans if span.context.trace_id == root.context.trace_id]
    examples = [span for span in spans if span.name == "evaluate_example"]
    print(f"{len(spans)} spans in {len({span.context.trace_id for span in spans})} traces")
    print(f"{len(own)} spans in the trace of the run: {dict(Counter(span.name for span in own).most_common(6))}")
    print(f"{len(examples)} examples, {_reachable(spans, examples)} of them reached from their trial and back")
    run_attributes = dict(root.attributes or {})
    for name in ("lm_calls", "input_tokens", "task.lm_calls", "proposal.lm_calls"):
        print(f"dspy.usage.{name} = {run_attributes.get(f'dspy.usage.{name}')}")
    print(f"the model counted {Asked.calls} calls and {Asked.input_tokens} input tokens")
    failures = []
    if traces == "linked" and len(own) >= MOST_SPANS:
        failures.append(f"the trace of the run has {len(own)} spans, {MOST_SPANS} or more")
    if traces == "linked" and _reachable(spans, examples) != len(examples):
        failures.append("not every example can be reached from its trial and back")
    counted = (run_attributes["dspy.usage.lm_calls"], run_attributes["dspy.usage.input_tokens"])
    if counted != (Asked.calls, Asked.input_tokens):
        failures.append(f"the roll-up {counted} is not the sum over all calls")
    by_role = sum(run_attributes.get(f"dspy.usage.{role}.lm_calls", 0) for role in ("task", "judge", "proposal"))
    if by_role != Asked.calls:
        failures.append(f"the roles come to {by_role} calls")
    return failures


def _reachable(spans: Sequence[ReadableSpan], examples: Sequence[ReadableSpan]) -> int:
    """Count the examples whose trial is linked to them, by itself or by its evaluation, and which are linked to it."""
    linked: dict[int, set[int]] = {}
    parents = {span.context.span_id: span.parent.span_id for span in spans if span.parent is not None}
    for span in spans:
        if span.name == "optimize_trial":
            linked.setdefault(span.context.span_id, set()).update(link.context.span_id for link in span.links)
        elif span.name.startswith("evaluate ") and span.links:
            trial = parents[span.context.span_id]
            linked.setdefault(trial, set()).update(link.context.span_id for link in span.links)
    return sum(
        any(example.context.span_id in linked.get(link.context.span_id, ()) for link in example.links)
        for example in examples
    )


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
