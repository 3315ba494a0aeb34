"""A program that asks others in further processes, and prints the bill: `python asking.py spawn|fork|joblib|celery`."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from typing import Any

from answering import QUESTIONS, answer, set_up, tenant

from opentelemetry import trace
from opentelemetry.instrumentation.dspy import outgoing_context, usage_scope


def by_multiprocessing(kind: str, carrier: dict[str, str]) -> list[dict[str, Any]]:
    context = multiprocessing.get_context(kind)
    # A forked worker has this process's telemetry and model, a spawned one nothing.
    options: dict[str, Any] = {} if kind == "fork" else {"initializer": set_up, "initargs": ("worker",)}
    # A forked worker is born inside this span, and works for others.
    with trace.get_tracer("asker").start_as_current_span("make pool"):
        workers = context.Pool(2, **options)
    with workers as pool:
        told = pool.starmap(answer, [(question, carrier) for question in QUESTIONS], chunksize=1)
        pool.close()
        pool.join()
    return told


def by_joblib(carrier: dict[str, str]) -> list[dict[str, Any]]:
    from joblib import Parallel, delayed

    return list(
        Parallel(n_jobs=2, backend="loky")(delayed(set_up_and_answer)(question, carrier) for question in QUESTIONS)
    )


def set_up_and_answer(question: str, carrier: dict[str, str]) -> dict[str, Any]:
    import answering

    if not hasattr(answering, "is_set_up"):
        answering.set_up("worker")
        answering.is_set_up = True  # type: ignore[attr-defined]
    return answering.answer(question, carrier)


def by_celery(carrier: dict[str, str]) -> list[dict[str, Any]]:
    from celery_worker import answer_task

    results = [answer_task.apply_async((question,), headers=carrier) for question in QUESTIONS]
    return [result.get(timeout=110) for result in results]


def main(kind: str) -> None:
    set_up("asker")
    tenant("t-1")
    ask = {"joblib": by_joblib, "celery": by_celery}.get(kind)
    with usage_scope() as total, trace.get_tracer("asker").start_as_current_span("ask all"):
        carrier = outgoing_context()
        told = by_multiprocessing(kind, carrier) if ask is None else ask(carrier)
        with usage_scope() as usage:
            for reply in told:
                usage.merge(reply["usage"])
                # A message that comes twice, as queues deliver them.
                usage.merge(json.loads(json.dumps(reply["usage"])))
    bill = {"lm_calls": usage.lm_calls, "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    print(  # noqa: T201 - read by the test
        json.dumps(
            {
                "bill": bill,
                "cost": usage.cost,
                "models": [*usage.by_model],
                "total_is_the_same": total.total() == usage.total(),
                "tenants": [reply["tenant"] for reply in told],
                "processes": [reply["process"] for reply in told],
                "own": os.getpid(),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
