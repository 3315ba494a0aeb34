"""Questions answered by several processes, all in the trace of the one that asked."""

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.util import Finalize

import dspy

from opentelemetry import _logs, context, metrics, propagate, trace

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")


def deliver() -> None:
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()):
        getattr(provider, "shutdown", lambda: None)()  # without an SDK there is nothing to shut down


def deliver_at_exit() -> None:
    Finalize(None, deliver, exitpriority=1)


def answer(question: str, carrier: dict[str, str]) -> str:
    token = context.attach(propagate.extract(carrier))
    try:
        return answerer(question=question).answer
    finally:
        context.detach(token)


def main(start_method: str) -> None:
    carrier: dict[str, str] = {}
    with trace.get_tracer("jobs").start_as_current_span("questions"):
        propagate.inject(carrier)
        processes = multiprocessing.get_context(start_method)
        with ProcessPoolExecutor(2, mp_context=processes, initializer=deliver_at_exit) as pool:
            print(*pool.map(answer, ["Where?", "When?", "Who?"], [carrier] * 3), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
