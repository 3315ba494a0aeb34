"""Two tenants in threads of one process: whose a call is says the program, or the baggage of a request (`BY_BAGGAGE`).

Run under `opentelemetry-instrument`. The last line that it prints is JSON: what `usage_scope` counted for each tenant.
"""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import dspy
from model_server import ModelServer

from opentelemetry.instrumentation.dspy import Usage, incoming_context, telemetry_context, usage_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.instrumentation.dspy import UsageScope

QUESTIONS = {"north": 7, "south": 11}
"""Questions of each, in each process."""

THREADS = 3
"""Of each tenant, all at the same time."""


def main() -> None:
    """Ask, from threads of both tenants at once, and from DSPy's own threads below them."""
    program = dspy.ChainOfThought("question -> answer")
    start, lock, of_tqdm = threading.Barrier(THREADS * len(QUESTIONS)), threading.Lock(), threading.Lock()
    counted = {tenant: Usage() for tenant in QUESTIONS}

    def ask(tenant: str) -> None:
        start.wait()
        for _ in range(QUESTIONS[tenant]):
            with request_of(tenant) as usage:
                program(question=f"Where is {tenant}?")
                pairs = [(program, {"question": f"Where is the {way} of {tenant}?"}) for way in ("east", "west")]
                with of_tqdm:  # Two that end at once raise KeyError, with or without this library.
                    dspy.Parallel(num_threads=2, disable_progress_bar=True)(pairs)
            with lock:
                counted[tenant].add(usage.total())

    with ModelServer() as server:
        dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=server.url, api_key="none", cache=False))
        with ThreadPoolExecutor(THREADS * len(QUESTIONS)) as pool:
            for asked in [pool.submit(ask, tenant) for tenant in QUESTIONS for _ in range(THREADS)]:
                asked.result()
    print(json.dumps({tenant: asdict(usage) for tenant, usage in counted.items()}))


@contextmanager
def request_of(tenant: str) -> Iterator[UsageScope]:
    """Enter the block of one request, and count what it uses."""
    if "BY_BAGGAGE" in os.environ:
        with incoming_context({"baggage": f"tenant={tenant},request.id=1"}) as usage:
            yield usage
    else:
        with telemetry_context(metric_attributes={"tenant": tenant}), usage_scope() as usage:
            yield usage


if __name__ == "__main__":
    main()
