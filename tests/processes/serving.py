"""A service that asks a worker over HTTP: `python serving.py worker`, `WORKER_URL=… python serving.py service`."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

import httpx
import uvicorn
from answering import QUESTIONS, answer, set_up, tenant
from fastapi import FastAPI, Request

from opentelemetry import context, trace
from opentelemetry.instrumentation.dspy import outgoing_context, usage_scope

worker, service = FastAPI(), FastAPI()


@worker.post("/answer")
def answer_in_worker(body: dict[str, str], request: Request) -> dict[str, Any]:
    return answer(body["question"], request.headers)


@service.post("/ask")
async def ask(tenant_name: str) -> dict[str, Any]:
    token = tenant(tenant_name)
    try:
        with usage_scope() as usage, trace.get_tracer("service").start_as_current_span(f"ask for {tenant_name}"):
            async with httpx.AsyncClient(timeout=110) as client:
                told = [
                    (
                        await client.post(
                            f"{os.environ['WORKER_URL']}/answer",
                            json={"question": question},
                            headers=outgoing_context({"X-Request": question}),
                        )
                    ).json()
                    for question in QUESTIONS
                ]
            for reply in told:
                usage.merge(reply["usage"])
    finally:
        context.detach(token)
    bill = {"lm_calls": usage.lm_calls, "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    return {
        "bill": bill,
        "cost": usage.cost,
        "models": [*usage.by_model],
        "tenants": [reply["tenant"] for reply in told],
        "processes": [reply["process"] for reply in told],
        "own": os.getpid(),
    }


def main(role: str) -> None:
    set_up(role)
    listener = socket.create_server(("127.0.0.1", 0))
    # Requests wait in the listener's queue until the server takes them.
    print(json.dumps(listener.getsockname()[1]), flush=True)  # noqa: T201 - read by the test
    config = uvicorn.Config(worker if role == "worker" else service, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
