"""A service that loses nothing when its worker processes are stopped."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dspy
from fastapi import FastAPI

from opentelemetry import _logs, metrics, trace

# api_base is None outside of the test: the provider's own address.
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ.get("MODEL_URL"), cache=False))
answerer = dspy.Predict("question -> answer")


@asynccontextmanager
async def deliver_at_exit(app: FastAPI) -> AsyncIterator[None]:
    yield
    for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()):
        getattr(provider, "shutdown", lambda: None)()  # without an SDK there is nothing to shut down


app = FastAPI(lifespan=deliver_at_exit)


@app.get("/ask")
async def ask(question: str) -> dict[str, object]:
    prediction = await answerer.acall(question=question)
    return {"answer": prediction.answer, "worker": os.getpid()}
